"""A bare WebSocket client that comes back: what a connection costs where nothing is said over it.

Its waits are those of a node that was told the least spread (first a time drawn evenly from 0 to the spread, then
exponential up to the same longest wait), with full jitter: evenly from 0 to the wait.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from node.connection import OPEN_WITHIN_S
from node.decisions.backing_off import CAP_S_MIN, SPREAD_S_MIN

BASE_S: Final = 1.0


class BareClient:
    """One client. ``name`` is not used: nobody asks for it."""

    def __init__(self, url: str, name: str) -> None:  # noqa: ARG002 - made as every visitor is
        self._url = url
        self._socket: ClientConnection | None = None
        self._failures = 0

    async def enter(self) -> float | None:
        """Dial once; give the wait before the next try if it came to nothing."""
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                self._socket = await connect(
                    self._url, compression=None, proxy=None, open_timeout=None, ping_interval=None
                )
        except (OSError, TimeoutError, EOFError, InvalidHandshake, ConnectionClosed):
            wait_s = min(CAP_S_MIN, BASE_S * 2.0 ** min(self._failures, 10)) * random.random()
            self._failures += 1
            return wait_s
        return None

    async def stay(self) -> float:
        """Wait until the connection ends; give the wait before the next dial."""
        if self._socket is None:
            raise RuntimeError("it has not come in")
        await self._socket.wait_closed()
        self._socket = None
        self._failures = 0
        return SPREAD_S_MIN * random.random()
