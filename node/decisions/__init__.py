"""What the node decides: plain functions and values that are handed the time. No I/O, no clock, no asyncio.

The shells beside this folder carry out what is decided here. `make check` holds the border.
"""
