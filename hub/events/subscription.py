"""One stream's place in the feed, and what may wait there.

What waits for one subscriber is bounded, and so is what waits for all. One that falls behind leaves the feed and is
told so: it reads the store until it has caught up and follows again (`hub.http.event_stream`). Nobody else notices, and
nothing is missed.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from hub.events.bounds import Bounds
from hub.events.endings import StreamEnd
from hub.events.filter import EventFilter
from hub.store.events import Event

# A message in a list costs this much beside its bytes.
_OVERHEAD_BYTES: Final = 48


class Room:
    """What waits for all subscribers together, in bytes, and how much may."""

    __slots__ = ("bounds", "waiting_bytes")

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.waiting_bytes = 0


class Membership(Protocol):
    """What a subscription asks of the feed that it belongs to."""

    def attach(self, subscription: Subscription) -> None:
        """Give it what is published from now on."""
        ...

    def remove(self, subscription: Subscription) -> None:
        """Give it nothing any more, and forget it. Twice is harmless."""
        ...


class Subscription:
    """One stream's place in the feed. Made by `EventFeed.subscribe`; its one reader calls `wait` and `take` in turn."""

    def __init__(self, feed: Membership, room: Room, wanted: EventFilter, token_id: str) -> None:
        self._feed = feed
        self._room = room
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._wanted_kinds: dict[str, bool] = {}
        # The index finds it by one of task and origin, or for every event; the rest is to be looked at.
        self._is_narrow = bool(wanted.node or wanted.name or wanted.group or (wanted.task and wanted.origin))
        self.wanted = wanted
        self.token_id = token_id
        self.position = 0
        """The id of the last event that was given, or skipped on purpose."""
        self.is_following = False
        """Whether events come from the feed; false before `follow`, and again once it has fallen behind."""
        self.end: StreamEnd | None = None
        """Why the hub ends this stream, or None."""

    # --- the reader's side --------------------------------------------------------------------------------------------

    def follow(self, position: int) -> None:
        """Take everything behind ``position`` from the feed.

        The caller has seen all events up to ``position``, and ``position`` is not below `EventFeed.last_id`: with no
        await between the look at it and this call, nothing can be missed or come twice.
        """
        self.position = position
        self.is_following = True
        self._feed.attach(self)

    def take(self) -> bytes:
        """Give what has piled up, as one piece; empty if nothing has."""
        if not self._waiting:
            return b""
        piece = b"".join(self._waiting)
        self._clear()
        return piece

    async def wait(self, within_s: float) -> bool:
        """Wait until there is something to take, or the subscription has ended or fallen behind; False: it is still
        quiet after ``within_s``.
        """
        if self._waiting or self.end is not None or not self.is_following:
            return True
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within_s):
                await self._waiter
        except TimeoutError:
            return False
        finally:
            self._waiter = None
        return True

    def close(self) -> None:
        """Leave the feed. Twice is harmless."""
        self._clear()
        self._feed.remove(self)

    # --- the feed's side ----------------------------------------------------------------------------------------------

    def wants(self, event: Event) -> bool:
        """Tell whether an event that the index found for it is meant."""
        kind = event.kind
        wanted = self._wanted_kinds.get(kind)
        if wanted is None:
            # Kinds are few, and each is looked at once.
            wanted = self._wanted_kinds[kind] = self.wanted.wants_kind(kind)
        return wanted and (not self._is_narrow or self.wanted.wants(event))

    def push(self, message: bytes) -> bool:
        """Add a message; False: there is no room for it. The reader is not woken."""
        size_bytes = len(message) + _OVERHEAD_BYTES
        bounds = self._room.bounds
        if (
            self._waiting_bytes + size_bytes > bounds.waiting_bytes_max
            or self._room.waiting_bytes + size_bytes > bounds.waiting_bytes_total_max
        ):
            return False
        self._waiting.append(message)
        self._waiting_bytes += size_bytes
        self._room.waiting_bytes += size_bytes
        return True

    def wake(self) -> None:
        """Let the reader look what there is."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _clear(self) -> None:
        self._room.waiting_bytes -= self._waiting_bytes
        self._waiting = []
        self._waiting_bytes = 0
