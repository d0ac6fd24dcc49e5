"""Hand things from any thread to an event loop: one wake-up of the loop for a whole batch."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A box that any thread may fill and that one event loop empties.

    It holds what a batch of its producers makes, and these are bounded: by slots for results, by `node.reports` for
    the rest.

    Args:
        loop: where ``take`` is called.
        take: is handed all that has come since the last time, in order.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[list[T]], None]) -> None:
        self._loop = loop
        self._take = take
        self._items: deque[T] = deque()
        self._is_waking = False

    def put(self, item: T) -> None:
        """Leave something. After the loop is closed it stays here."""
        self._items.append(item)
        if not self._is_waking:
            # Two threads may both come here: the second wake-up then finds the box empty.
            self._is_waking = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: the node has ended
                self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        # In this order: what is put after the flag is down wakes the loop again.
        self._is_waking = False
        items: list[T] = []
        while self._items:
            items.append(self._items.popleft())
        if items:
            self._take(items)
