"""The event loop on which a client lives: its sockets and futures are of no use on another one."""

from __future__ import annotations

import asyncio


class HomeLoop:
    """The loop on which something was used first."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def check(self) -> None:
        """Take the running loop for its home at the first call; raise RuntimeError on another one later."""
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise RuntimeError(
                "the client has been used on another event loop; "
                "make a client for each asyncio.run, or use SyncClient, which any thread may call"
            )
