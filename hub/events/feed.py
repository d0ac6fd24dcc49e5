"""Hands on what was committed, to everybody who follows it, in the order of the commits.

Each event is turned into bytes once and shared by all subscribers; a subscriber takes whatever has piled up in one
piece, so a burst costs one wake-up. All of it runs on the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from hub.decisions.lifecycle import FINAL
from hub.events.bounds import Bounds
from hub.events.endings import REVOKED, STOPPING, StreamEnd, TooManyStreamsError
from hub.events.filter import EventFilter
from hub.events.index import Index
from hub.events.objects import EventObject, live_message, sse_message
from hub.events.subscription import Room, Subscription
from hub.events.watches import TaskWatch, TaskWatches
from hub.store.events import Event
from protocol.frames import Log, Progress

_FINAL_KINDS: Final = frozenset(f"task.{state}" for state in FINAL)


class EventFeed:
    """Hands committed events, and what is only live, to subscribers and to those who wait for one task."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - it is frozen
        self._bounds = bounds
        self._subscriptions: set[Subscription] = set()
        self._room = Room(bounds)
        self._index = Index()
        self._watches = TaskWatches(bounds.watches_max)
        # What runs, so that progress and log lines can be filtered by more than their task: bounded by all slots.
        self._running: dict[str, Event] = {}
        self.last_id = 0
        """The id of the last event that was published; 0 before the first one in this process."""
        self.is_closed = False
        """Whether the hub is on its way down."""

    @property
    def subscriptions(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    @property
    def waiting_bytes(self) -> int:
        """What waits for all of them."""
        return self._room.waiting_bytes

    @property
    def watches(self) -> int:
        """How many callers wait for a task."""
        return len(self._watches)

    # --- following ----------------------------------------------------------------------------------------------------

    def subscribe(self, wanted: EventFilter, *, token_id: str = "") -> Subscription:
        """Open a stream's place; nothing comes before `Subscription.follow`. Close it when the stream ends.

        Raises:
            TooManyStreamsError: there are as many as there may be.
        """
        if len(self._subscriptions) >= self._bounds.subscriptions_max:
            raise TooManyStreamsError("event streams", self._bounds.subscriptions_max)
        subscription = Subscription(self, self._room, wanted, token_id)
        if self.is_closed:
            subscription.end = STOPPING
        self._subscriptions.add(subscription)
        return subscription

    def watch(self, task_id: str) -> TaskWatch:
        """Begin to wait for a task's outcome. Close it in the end.

        Raises:
            TooManyStreamsError: as many callers wait as may.
        """
        return self._watches.add(task_id)

    def attach(self, subscription: Subscription) -> None:
        """See `Membership.attach`."""
        self._index.add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """See `Membership.remove`."""
        self._detach(subscription)
        self._subscriptions.discard(subscription)

    def _detach(self, subscription: Subscription) -> None:
        if subscription.is_following:
            subscription.is_following = False
            self._index.remove(subscription)

    # --- telling ------------------------------------------------------------------------------------------------------

    def publish(self, events: Sequence[Event], values: Mapping[str, bytes]) -> None:
        """Hand on what a commit did: its events in order, and the values of tasks that succeeded in it."""
        if not events:
            return
        touched: set[Subscription] = set()
        for event in events:
            self._track(event)
            if self._index:
                self._deliver(event, values, touched)
            if self._watches and event.kind in _FINAL_KINDS:
                self._watches.finish(event.task_id)
        self.last_id = events[-1].id
        _wake(touched)

    def _track(self, event: Event) -> None:
        if event.kind == "task.running":
            self._running[event.task_id] = event
        elif event.task_id:
            self._running.pop(event.task_id, None)

    def _deliver(self, event: Event, values: Mapping[str, bytes], touched: set[Subscription]) -> None:
        message: bytes | None = None
        for subscription in self._index.candidates(event):
            if event.id <= subscription.position or not subscription.wants(event):
                continue
            if message is None:
                message = sse_message(event, values.get(event.task_id) if event.kind == "task.succeeded" else None)
            touched.add(subscription)
            if subscription.push(message):
                subscription.position = event.id
            else:
                self._detach(subscription)

    def tell(self, node_id: str, frame: Progress | Log, wall_s: float) -> None:
        """Hand on progress or log lines of what a node runs. Lossy: who has no room misses them.

        Of a task that began before this hub started only its id is known: filters by name, origin or group miss it.
        """
        if not self._index:
            return
        if isinstance(frame, Progress):
            said = EventObject(
                UNSET, wall_s, "task.progress", done=frame.done, total=frame.total, message=frame.message
            )
            self._tell_one(said, frame.task_id, frame.attempt, node_id)
            return
        for line in frame.lines:
            said = EventObject(UNSET, line.at, "task.log", level=line.level, message=line.message)
            self._tell_one(said, line.task_id, line.attempt, node_id)

    def _tell_one(self, said: EventObject, task_id: str, attempt: int, node_id: str) -> None:
        known = self._running.get(task_id)
        name, origin, group = ("", "", "") if known is None else (known.name, known.origin, known.group)
        event = Event(
            id=0,
            at=said.at,
            kind=said.kind,
            task_id=task_id,
            name=name,
            attempt=attempt,
            node_id=node_id,
            origin=origin,
            group=group,
        )
        meant = [subscription for subscription in self._index.candidates(event) if subscription.wants(event)]
        if not meant:
            return
        complete = msgspec.structs.replace(
            said,
            task_id=task_id,
            name=name,
            state="running",
            attempt=attempt,
            node_id=node_id,
            origin=origin,
            group=group,
        )
        message = live_message(complete)
        _wake(subscription for subscription in meant if subscription.push(message))

    @property
    def has_pulse_listeners(self) -> bool:
        """Whether anybody follows who wants the pulse."""
        return bool(self._index.pulsed)

    def pulse(self, data: bytes) -> None:
        """Hand on a pulse, encoded as JSON. Lossy: who has no room misses one."""
        message = b"data: %b\n\n" % data
        _wake(subscription for subscription in self._index.pulsed if subscription.push(message))

    # --- ending -------------------------------------------------------------------------------------------------------

    def end_streams(self, token_ids: Collection[str]) -> None:
        """End the streams that were opened with one of these tokens."""
        self._end(lambda subscription: subscription.token_id in token_ids, REVOKED)

    def close(self) -> None:
        """End all streams and let go whoever waits: the hub stops. Twice is harmless."""
        self.is_closed = True
        self._end(lambda _: True, STOPPING)
        self._watches.close()

    def _end(self, is_meant: Callable[[Subscription], bool], end: StreamEnd) -> None:
        for subscription in self._subscriptions:
            if subscription.end is None and is_meant(subscription):
                subscription.end = end
                subscription.wake()


def _wake(subscriptions: Iterable[Subscription]) -> None:
    for subscription in subscriptions:
        subscription.wake()
