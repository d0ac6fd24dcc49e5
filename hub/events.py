"""The live feed: what was committed, to everybody who follows it, in the order of the commits.

Each event is turned into the bytes of a server-sent event (WHATWG HTML, section 9.2) once and shared by all
subscribers; a subscriber takes whatever has piled up in one piece, so a burst costs one wake-up. Subscribers that
name a task or an origin are found by it, so that the cost of an event does not grow with their number.

What waits for one subscriber is bounded. One that falls behind leaves the feed and is told so: it reads the store
until it has caught up and follows again (`hub.http.event_stream`). Nobody else notices, and nothing is missed.

All of it runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hub.decisions.lifecycle import FINAL
from hub.store.events import Event
from protocol.frames import Log, Progress, TaskError

# What may wait for one subscriber: some 15,000 small events, which is what one large commit brings; with large values
# few, and those are read from the store as fast as the reader takes them.
WAITING_BYTES_MAX: Final = 4 * 1024 * 1024

# What may wait for all of them together, counted as if nothing were shared.
WAITING_BYTES_TOTAL_MAX: Final = 64 * 1024 * 1024

# A message in a list costs this much beside its bytes.
_OVERHEAD_BYTES: Final = 48

# Streams at once: people, programs and dashboards; each may hold a socket buffer and a page of events.
SUBSCRIPTIONS_MAX: Final = 1_000

# Callers that wait for one task each. A waiting request holds some 20 KiB.
WATCHES_MAX: Final = 5_000

PULSE: Final = "hub.pulse"
"""A kind that only those get who name it: it comes every second, and tells nothing that happened."""

_FINAL_KINDS: Final = frozenset(f"task.{state}" for state in FINAL)

_encode = msgspec.json.Encoder().encode


# --- what is told ---------------------------------------------------------------------------------------------------


class ErrorObject(Struct, frozen=True, kw_only=True):
    """Why an attempt failed. ``kind`` is stable; the rest is for people."""

    kind: str
    message: str
    type: str
    traceback: str
    retryable: bool


def error_object(error: TaskError) -> ErrorObject:
    """Give a task's error with every field."""
    return ErrorObject(
        kind=error.kind,
        message=error.message,
        type=error.type,
        traceback=error.traceback,
        retryable=error.retryable,
    )


class EventObject(Struct, frozen=True, gc=False):
    """The ``data`` of one event. Texts are empty where they do not apply; ``value`` is there where a task succeeded,
    ``error`` where an attempt failed, ``reason`` where a node left. `task.progress` and `task.log` carry no ``id``.
    """

    id: int | UnsetType
    at: float
    kind: str
    task_id: str = ""
    name: str = ""
    state: str = ""
    attempt: int = 0
    node_id: str = ""
    origin: str = ""
    group: str = ""
    reason: str | UnsetType = UNSET
    error: ErrorObject | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    done: float | UnsetType = UNSET
    total: float | UnsetType | None = UNSET
    level: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


def sse_message(event: Event, value: bytes | None) -> bytes:
    """Give the bytes of one stored event; ``value`` is that of the task if it succeeded."""
    said = EventObject(
        event.id,
        event.at,
        event.kind,
        event.task_id,
        event.name,
        event.state,
        event.attempt,
        event.node_id,
        event.origin,
        event.group,
        event.reason or UNSET,
        UNSET if event.error is None else error_object(event.error),
        UNSET if value is None else Raw(_on_one_line(value)),
    )
    return b"id: %d\ndata: %b\n\n" % (event.id, _encode(said))


def _on_one_line(text: bytes) -> bytes:
    """Take line ends out of a JSON text. Strings cannot hold one, so they are white space (RFC 8259, 2 and 7)."""
    if b"\n" in text or b"\r" in text:
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text


class EventFilter(Struct, frozen=True, kw_only=True):
    """Which events a subscriber wants; what is empty does not restrict. ``kinds`` are kinds or prefixes of them."""

    kinds: tuple[str, ...] = ()
    origin: str = ""
    task: str = ""
    node: str = ""
    name: str = ""
    group: str = ""

    def wants(self, event: Event) -> bool:
        """Tell whether this event is meant."""
        return (
            (not self.origin or event.origin == self.origin)
            and (not self.task or event.task_id == self.task)
            and (not self.node or event.node_id == self.node)
            and (not self.name or event.name == self.name)
            and (not self.group or event.group == self.group)
            and (not self.kinds or self.wants_kind(event.kind))
        )

    def wants_kind(self, kind: str) -> bool:
        """Tell whether events of this kind can be meant."""
        return not self.kinds or any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in self.kinds)


class StreamEnd(Struct, frozen=True, kw_only=True):
    """Why a stream was ended by the hub: its last message."""

    code: str
    message: str
    remedy: str


STOPPING: Final = StreamEnd(
    code="stopping", message="the hub stops", remedy="connect again and name the last id that you saw"
)
REVOKED: Final = StreamEnd(
    code="unauthorized", message="the token was revoked or ran out", remedy="connect with another token"
)


class TooManyStreamsError(Exception):
    """As many follow the feed, or wait for a task, as may do so at once. Come back when others have left."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.what = what
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.limit} {self.what} are open, the most that this hub takes"


# --- who is told ----------------------------------------------------------------------------------------------------


class Subscription:
    """One stream's place in the feed. Made by `EventFeed.subscribe`; its one reader calls `wait` and `take` in turn."""

    def __init__(self, feed: EventFeed, wanted: EventFilter, token_id: str) -> None:
        self._feed = feed
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

    def follow(self, position: int) -> None:
        """Take everything behind ``position`` from the feed.

        The caller has seen all events up to ``position``, and ``position`` is not below `EventFeed.last_id`: with no
        await between the look at it and this call, nothing can be missed or come twice.
        """
        self.position = position
        self.is_following = True
        self._feed._attach(self)

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
        self._feed._remove(self)

    # --- the feed's side ----------------------------------------------------------------------------------------------

    def _wants(self, event: Event) -> bool:
        kind = event.kind
        wanted = self._wanted_kinds.get(kind)
        if wanted is None:
            # Kinds are few, and each is looked at once.
            wanted = self._wanted_kinds[kind] = self.wanted.wants_kind(kind)
        return wanted and (not self._is_narrow or self.wanted.wants(event))

    def _push(self, message: bytes) -> bool:
        """Add a message, or say that there is no room for it."""
        size_bytes = len(message) + _OVERHEAD_BYTES
        if (
            self._waiting_bytes + size_bytes > WAITING_BYTES_MAX
            or self._feed._waiting_bytes + size_bytes > WAITING_BYTES_TOTAL_MAX
        ):
            return False
        self._waiting.append(message)
        self._waiting_bytes += size_bytes
        self._feed._waiting_bytes += size_bytes
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _clear(self) -> None:
        self._feed._waiting_bytes -= self._waiting_bytes
        self._waiting = []
        self._waiting_bytes = 0


class TaskWatch:
    """Waits until one task has its outcome. Made by `EventFeed.watch`; made *before* the store is asked, it misses
    nothing.
    """

    def __init__(self, feed: EventFeed, task_id: str) -> None:
        self._feed = feed
        self._task_id = task_id
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self, within_s: float) -> bool:
        """Wait for the outcome; False: there is none after ``within_s``, or the feed has closed."""
        try:
            async with asyncio.timeout(within_s):
                await self._done
        except TimeoutError:
            return False
        return not self._feed.is_closed

    def close(self) -> None:
        """Stop waiting. Twice is harmless."""
        self._feed._unwatch(self._task_id, self)

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


class _Index:
    """Following subscriptions, by the narrowest thing that they name."""

    def __init__(self) -> None:
        # Tuples: who leaves while an event is handed out leaves the others in their places.
        self._all: tuple[Subscription, ...] = ()
        self._by_origin: dict[str, tuple[Subscription, ...]] = {}
        self._by_task: dict[str, tuple[Subscription, ...]] = {}
        self.pulsed: tuple[Subscription, ...] = ()
        """Those who want the pulse, whatever else they want."""
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, subscription: Subscription) -> None:
        self._count += 1
        wanted = subscription.wanted
        if wanted.kinds and wanted.wants_kind(PULSE):
            self.pulsed = (*self.pulsed, subscription)
        if wanted.task:
            self._by_task[wanted.task] = (*self._by_task.get(wanted.task, ()), subscription)
        elif wanted.origin:
            self._by_origin[wanted.origin] = (*self._by_origin.get(wanted.origin, ()), subscription)
        else:
            self._all = (*self._all, subscription)

    def remove(self, subscription: Subscription) -> None:
        self._count -= 1
        wanted = subscription.wanted
        self.pulsed = _without(self.pulsed, subscription)
        if wanted.task:
            _discard(self._by_task, wanted.task, subscription)
        elif wanted.origin:
            _discard(self._by_origin, wanted.origin, subscription)
        else:
            self._all = _without(self._all, subscription)

    def candidates(self, event: Event) -> tuple[Subscription, ...]:
        found = self._by_origin.get(event.origin, ())
        if self._all:
            found = (*self._all, *found)
        if self._by_task:
            found = (*found, *self._by_task.get(event.task_id, ()))
        return found


def _without(members: tuple[Subscription, ...], subscription: Subscription) -> tuple[Subscription, ...]:
    return tuple(member for member in members if member is not subscription)


def _discard(groups: dict[str, tuple[Subscription, ...]], key: str, subscription: Subscription) -> None:
    groups[key] = _without(groups[key], subscription)
    if not groups[key]:
        del groups[key]


# --- the feed -------------------------------------------------------------------------------------------------------


class EventFeed:
    """Hands committed events, and what is only live, to subscribers and to those who wait for one task."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._index = _Index()
        self._watches: dict[str, set[TaskWatch]] = {}
        self._watch_count = 0
        # What runs, so that progress and log lines can be filtered by more than their task: bounded by all slots.
        self._running: dict[str, Event] = {}
        self._waiting_bytes = 0
        self.last_id = 0
        """The id of the last event that was published; 0 before the first one in this process."""
        self.is_closed = False
        """Whether the hub is on its way down."""

    @property
    def subscriptions(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    @property
    def watches(self) -> int:
        """How many callers wait for a task."""
        return self._watch_count

    # --- following ----------------------------------------------------------------------------------------------------

    def subscribe(self, wanted: EventFilter, *, token_id: str = "") -> Subscription:
        """Open a stream's place; nothing comes before `Subscription.follow`. Close it when the stream ends.

        Raises:
            TooManyStreamsError: there are as many as there may be.
        """
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise TooManyStreamsError("event streams", SUBSCRIPTIONS_MAX)
        subscription = Subscription(self, wanted, token_id)
        if self.is_closed:
            subscription.end = STOPPING
        self._subscriptions.add(subscription)
        return subscription

    def watch(self, task_id: str) -> TaskWatch:
        """Begin to wait for a task's outcome. Close it in the end.

        Raises:
            TooManyStreamsError: as many callers wait as may.
        """
        if self._watch_count >= WATCHES_MAX:
            raise TooManyStreamsError("waiting requests", WATCHES_MAX)
        watch = TaskWatch(self, task_id)
        self._watch_count += 1
        self._watches.setdefault(task_id, set()).add(watch)
        if self.is_closed:
            watch._finish()
        return watch

    def _attach(self, subscription: Subscription) -> None:
        self._index.add(subscription)

    def _detach(self, subscription: Subscription) -> None:
        if subscription.is_following:
            subscription.is_following = False
            self._index.remove(subscription)

    def _remove(self, subscription: Subscription) -> None:
        self._detach(subscription)
        self._subscriptions.discard(subscription)

    def _unwatch(self, task_id: str, watch: TaskWatch) -> None:
        watches = self._watches.get(task_id)
        if watches is None or watch not in watches:
            return
        self._watch_count -= 1
        watches.discard(watch)
        if not watches:
            del self._watches[task_id]

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
                for watch in self._watches.get(event.task_id, ()):
                    watch._finish()
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
            if event.id <= subscription.position or not subscription._wants(event):
                continue
            if message is None:
                message = sse_message(event, values.get(event.task_id) if event.kind == "task.succeeded" else None)
            touched.add(subscription)
            if subscription._push(message):
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
        meant = [subscription for subscription in self._index.candidates(event) if subscription._wants(event)]
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
        message = b"data: %b\n\n" % _encode(complete)
        _wake(subscription for subscription in meant if subscription._push(message))

    @property
    def has_pulse_listeners(self) -> bool:
        """Whether anybody follows who wants the pulse."""
        return bool(self._index.pulsed)

    def pulse(self, data: bytes) -> None:
        """Hand on a pulse, encoded as JSON. Lossy: who has no room misses one."""
        message = b"data: %b\n\n" % data
        _wake(subscription for subscription in self._index.pulsed if subscription._push(message))

    # --- ending -------------------------------------------------------------------------------------------------------

    def end_streams(self, token_ids: Collection[str]) -> None:
        """End the streams that were opened with one of these tokens."""
        self._end(lambda subscription: subscription.token_id in token_ids, REVOKED)

    def close(self) -> None:
        """End all streams and let go whoever waits: the hub stops. Twice is harmless."""
        self.is_closed = True
        self._end(lambda _: True, STOPPING)
        for watches in self._watches.values():
            for watch in watches:
                watch._finish()

    def _end(self, is_meant: Callable[[Subscription], bool], end: StreamEnd) -> None:
        for subscription in self._subscriptions:
            if subscription.end is None and is_meant(subscription):
                subscription.end = end
                subscription._wake()


def _wake(subscriptions: Iterable[Subscription]) -> None:
    for subscription in subscriptions:
        subscription._wake()
