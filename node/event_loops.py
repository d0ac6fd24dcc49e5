"""The event loops that a node's threads turn."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make a loop: uvloop's where it installs, which doubles the round trips; else asyncio's."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    from uvloop import new_event_loop as make  # noqa: PLC0415 - an optional dependency

    return make()
