"""An answer that many ask for again and again: made for the first who comes, and given to all who come soon after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class SharedAnswer:
    """The bytes of one answer, and how long they hold.

    Args:
        hold_s: how old they may be.
        now_s: gives the monotonic time.
    """

    def __init__(self, hold_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._hold_s = hold_s
        self._now_s = now_s
        self._made_s = float("-inf")
        self._made_of = -1
        self._body = b""
        self._turn = asyncio.Lock()

    async def get(self, state_id: int, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give the bytes; ``make`` them if they are too old. Whoever comes meanwhile waits for the same ones.

        Args:
            state_id: how much the caller may know to have happened: bytes that were made when less had are too old,
                however young they are. Who was told of a change and asks must see it, since it will not ask again.
            make: makes them.

        Cancelling it lets the next one make them. Raises what ``make`` raises; the next one tries again.
        """
        async with self._turn:
            if state_id > self._made_of or self._now_s() - self._made_s >= self._hold_s:
                # The time before it is made: what is told is never older than it is said to be.
                began_s = self._now_s()
                self._body = await make()
                self._made_s, self._made_of = began_s, state_id
            return self._body
