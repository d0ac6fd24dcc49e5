"""The wire between a node and a hub, without I/O: frames, codec, limits, close codes, errors.

Nothing here opens a socket, reads a clock or knows asyncio. ``docs/reference/protocol.md`` says the same in prose.
"""
