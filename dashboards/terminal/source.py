"""Keeps up with a hub: lives on its pulse, and reads what is looked at and nothing else.

One request is under way at a time. What takes long is asked for less often: a query costs the hub at most a fifth of
the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from dashboards.terminal import reading
from dashboards.terminal.snapshot import Link, Listing, Snapshot
from dashboards.terminal.state import View
from moorline.client import Client
from moorline.errors import ForbiddenError, HubError, HubUnavailableError, NotFoundError, UnauthorizedError
from moorline.views import Event, LogLine, Progress, TaskLogs

logger = logging.getLogger(__name__)

# The hub speaks every second where it can be heard. If it has not for so long, it is asked.
PULSE_LATE_S: Final = 1.5
# How soon a hub that is away is tried again, and one that refuses us.
AWAY_EVERY_S: Final = 1.0
REFUSED_EVERY_S: Final = 5.0
# How often each thing is read while it is looked at.
LIST_EVERY_S: Final = 1.0
MAP_EVERY_S: Final = 3.0
SLOW_EVERY_S: Final = 10.0
FINAL_EVERY_S: Final = 30.0
# A token's role never changes; the first token of a hub may be made at any time.
ROLE_EVERY_S: Final = 60.0
# What takes t to read is read again after so many t at the earliest.
REST_FACTOR: Final = 4.0
# Events that are kept to be seen, and how far back they begin.
EVENTS_KEPT: Final = 500
EVENTS_BACK: Final = 200
# What happened to nodes and alerts: so many are kept, and so many events are looked through for them in the beginning.
LATELY_KEPT: Final = 50
LATELY_BACK: Final = 5_000
# Lines of a log that are kept beside what the hub keeps.
LOG_LINES_KEPT: Final = 1_000

# All states, and neither progress nor logs: these are many, and are seen in the task.
_EVENT_KINDS: Final = (
    "node", "alert", "task.scheduled", "task.queued", "task.running", "task.succeeded", "task.failed",
    "task.cancelled", "task.expired", "task.lost",
)  # fmt: skip
_EVENT_FILTERS: Final = ("kind", "origin", "task", "node", "name", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is looked at, as far as it changes what must be read."""

    view: View = View.OVERVIEW
    node_filter: str = ""
    task_filter: str = ""
    event_filter: str = ""
    node_sort: int = 0
    task_sort: int = 0
    task_id: str = ""
    rows: int = 50


@dataclass(slots=True)
class _Job:
    """Something that is read again and again while it is needed."""

    read: Callable[[], Awaitable[None]]
    is_needed: Callable[[], bool]
    every_s: Callable[[], float]
    due_s: float = 0.0


class Source:
    """Everything that is known of one hub.

    Args:
        client: the way to it; closed by its owner.
        url: what it is called.
        wall: the time of day, seconds since 1970.
    """

    def __init__(self, client: Client, url: str, *, wall: Callable[[], float] = time.time) -> None:
        self._client = client
        self._wall = wall
        self._look = Look()
        self._heard = Snapshot(url=url, now_at=wall(), link=Link(since_at=wall()))
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._lately: deque[Event] = deque(maxlen=LATELY_KEPT)
        self._counted = asyncio.Event()
        self._wake = asyncio.Event()
        self.changed: Final = asyncio.Event()
        """Set when a new picture may be worth drawing."""
        self._follower: asyncio.Task[None] | None = None
        self._followed: tuple[object, ...] = ()
        self._jobs = self._plan()

    def snapshot(self) -> Snapshot:
        """Give what is known now."""
        events = self._heard.events
        if self._look.view is View.EVENTS:
            events = replace(events, rows=tuple(reversed(self._events)))
        return replace(self._heard, now_at=self._wall(), events=events)

    def look_at(self, look: Look) -> None:
        """Read this from now on."""
        before, self._look = self._look, look
        if look == before:
            return
        if (look.view, look.node_filter, look.node_sort) != (before.view, before.node_filter, before.node_sort):
            self._again("nodes")
        if (look.view, look.task_filter, look.task_sort) != (before.view, before.task_filter, before.task_sort):
            self._again("tasks")
        if look.rows > before.rows:
            self._again("nodes", "tasks")
        if look.task_id != before.task_id or look.view is not before.view:
            self._again("detail", "map", "trends", "errors", "alerts")
        if look.node_filter != before.node_filter:
            self._hear(nodes=Listing(filter=look.node_filter))
        if look.task_filter != before.task_filter:
            self._hear(tasks=Listing(filter=look.task_filter))
        self._follow_what_is_looked_at()

    def read_again(self) -> None:
        """Read all that is looked at at once: something was done."""
        self._again(*self._jobs)

    async def run(self) -> None:
        """Keep up until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(), name="pulse")
                group.create_task(self._read(), name="reading")
        finally:
            await self._stop_following()

    async def read_once(self, look: Look) -> None:
        """Read all that this shows, once.

        Raises:
            HubError: the hub cannot be reached, or refuses.
        """
        self._look = look
        await self._read_stats()
        for name, job in self._jobs.items():
            if name != "stats" and job.is_needed():
                await job.read()
        self._set_link("live")

    # --- the pulse ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Take the hub's pulse, and know from its events when something must be read again."""
        # Until it is known which event is the newest, nobody can say where the last ones begin.
        await self._counted.wait()
        newest_id = self._heard.stats.last_event_id if self._heard.stats is not None else 0
        last_id = max(0, newest_id - LATELY_BACK)
        while True:
            try:
                kinds = ("hub", "node", "alert")
                async with aclosing(self._client.events(kind=kinds, last_id=last_id)) as stream:
                    async for event in stream:
                        self._take(event)
            except HubError:
                # What is wrong is told by whoever reads; here is only waited until it is right again.
                await asyncio.sleep(REFUSED_EVERY_S)

    def _take(self, event: Event) -> None:
        if event.stats is not None:
            before = self._heard.stats
            if before is not None and before.nodes != event.stats.nodes:
                # The map must not say something else than the counts above it.
                self._again("map")
            self._hear(stats=event.stats, heard_at=self._wall())
            self._set_link("live")
        elif event.kind == "reset":
            self.read_again()
        else:
            self._lately.append(event)
            self._hear(lately=tuple(reversed(self._lately)))
            if event.kind.startswith("alert"):
                self._again("alerts")

    # --- reading -----------------------------------------------------------------------------------------------------

    def _plan(self) -> dict[str, _Job]:
        """Give all that can be read, and when."""

        def every(period_s: float) -> Callable[[], float]:
            return lambda: period_s

        def on(*views: View) -> Callable[[], bool]:
            return lambda: self._look.view in views

        return {
            "stats": _Job(self._read_stats, self._is_pulse_late, every(AWAY_EVERY_S)),
            "tasks": _Job(self._read_tasks, on(View.TASKS), every(LIST_EVERY_S)),
            "nodes": _Job(self._read_nodes, on(View.NODES), every(LIST_EVERY_S)),
            "detail": _Job(self._read_detail, lambda: self._look.view is View.TASK and bool(self._look.task_id),
                           lambda: FINAL_EVERY_S if self._is_detail_final() else LIST_EVERY_S),
            "map": _Job(self._read_map, on(View.OVERVIEW), every(MAP_EVERY_S)),
            "trends": _Job(self._read_trends, on(View.OVERVIEW), every(SLOW_EVERY_S)),
            "errors": _Job(self._read_errors, on(View.OVERVIEW), every(SLOW_EVERY_S)),
            "alerts": _Job(self._read_alerts, on(View.OVERVIEW), every(SLOW_EVERY_S)),
            "role": _Job(self._read_role, lambda: True, every(ROLE_EVERY_S)),
        }  # fmt: skip

    def _is_pulse_late(self) -> bool:
        heard_at = self._heard.heard_at
        return heard_at is None or not self._heard.is_live or self._wall() - heard_at > PULSE_LATE_S

    async def _read(self) -> None:
        """Read what is due, one after the other, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            due = [job for job in self._jobs.values() if job.is_needed() and job.due_s <= now_s]
            if not self._heard.is_live:
                # A hub that is away is asked for nothing but a sign of life.
                due = [job for job in due if job is self._jobs["stats"]]
            for job in due:
                begun_s = loop.time()
                is_well = await self._try(job)
                now_s = loop.time()
                job.due_s = now_s + max(job.every_s(), REST_FACTOR * (now_s - begun_s))
                if not is_well:
                    break
            # Often enough that a pulse that is missing is soon missed.
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._wake.wait()

    async def _try(self, job: _Job) -> bool:
        """Read one thing; tell whether the hub answered."""
        try:
            await job.read()
        except HubUnavailableError as error:
            self._set_link("away", error.message)
            return False
        except (UnauthorizedError, ForbiddenError) as error:
            self._set_link("refused", str(error))
            job.due_s = asyncio.get_running_loop().time() + REFUSED_EVERY_S
            return False
        except NotFoundError:
            # An earlier hub, which does not know this route: what it would say stays unknown.
            logger.debug("the hub knows nothing of what was asked", exc_info=True)
        except HubError as error:
            self._set_link("away", str(error))
            return False
        self._set_link("live")
        return True

    async def _read_stats(self) -> None:
        stats = await self._client.stats()
        self._hear(stats=stats, heard_at=self._wall())
        self._counted.set()

    async def _read_map(self) -> None:
        self._hear(map=await reading.read_map(self._client))

    async def _read_trends(self) -> None:
        self._hear(trends=await reading.read_trends(self._client, self._wall()))

    async def _read_errors(self) -> None:
        self._hear(errors=await reading.read_errors(self._client))

    async def _read_alerts(self) -> None:
        self._hear(alerts=await reading.read_alerts(self._client, self._wall()))

    async def _read_role(self) -> None:
        self._hear(role=(await self._client.me()).role or "")

    async def _read_nodes(self) -> None:
        look = self._look
        try:
            listing = await reading.read_nodes(self._client, look.node_filter, look.node_sort, look.rows)
        except HubError as error:
            listing = _problem(error, look.node_filter)
        if look.node_filter == self._look.node_filter:
            self._hear(nodes=listing)

    async def _read_tasks(self) -> None:
        look = self._look
        try:
            listing = await reading.read_tasks(self._client, look.task_filter, look.task_sort, look.rows)
        except HubError as error:
            listing = _problem(error, look.task_filter)
        if look.task_filter == self._look.task_filter:
            self._hear(tasks=listing)

    async def _read_detail(self) -> None:
        task_id = self._look.task_id
        detail = await reading.read_detail(self._client, task_id)
        if task_id == self._look.task_id:
            self._hear(detail=detail)

    def _is_detail_final(self) -> bool:
        detail = self._heard.detail
        return detail is not None and detail.task is not None and detail.task.is_final

    # --- events, and one task ----------------------------------------------------------------------------------------

    def _follow_what_is_looked_at(self) -> None:
        look = self._look
        wanted: tuple[object, ...] = ()
        if look.view is View.EVENTS:
            wanted = ("events", look.event_filter)
        elif look.view is View.TASK and look.task_id:
            wanted = ("task", look.task_id)
        if wanted == self._followed:
            return
        self._followed = wanted
        if self._follower is not None:
            self._follower.cancel()
            self._follower = None
        if not wanted:
            return
        following = self._follow_events(look.event_filter) if wanted[0] == "events" else self._follow_task(look.task_id)
        self._follower = asyncio.get_running_loop().create_task(following, name="events")

    async def _stop_following(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)

    async def _follow_events(self, filter_text: str) -> None:
        self._events.clear()
        try:
            filters = event_filters(filter_text)
        except ValueError as error:
            self._hear(events=Listing(filter=filter_text, problem=str(error), is_read=True))
            return
        self._hear(events=Listing(filter=filter_text, is_read=True))
        stats = self._heard.stats
        last_id = max(0, stats.last_event_id - EVENTS_BACK) if stats is not None else None
        try:
            async with aclosing(self._client.events(**filters, last_id=last_id)) as stream:
                async for event in stream:
                    if event.kind != "hub.pulse":
                        self._events.append(event)
                        self.changed.set()
        except HubError as error:
            self._hear(events=Listing(filter=filter_text, problem=str(error), is_read=True))

    async def _follow_task(self, task_id: str) -> None:
        # What is wrong with the task or the hub is told by whoever reads it.
        with contextlib.suppress(HubError):
            async with aclosing(self._client.events(kind="task", task=task_id)) as stream:
                async for event in stream:
                    self._take_of_task(event)

    def _take_of_task(self, event: Event) -> None:
        detail = self._heard.detail
        if detail is None or detail.task is None or detail.task_id != event.task_id:
            return
        if event.kind == "task.progress":
            progress = Progress(done=event.done or 0.0, total=event.total, message=event.message)
            self._hear(detail=replace(detail, task=msgspec.structs.replace(detail.task, progress=progress)))
        elif event.kind == "task.log":
            logs = detail.logs or TaskLogs()
            said = LogLine(at=event.at, attempt=event.attempt, level=event.level, message=event.message)
            kept = [*logs.lines, said][-LOG_LINES_KEPT:]
            self._hear(detail=replace(detail, logs=TaskLogs(lines=kept, dropped=logs.dropped)))
        else:
            self._again("detail")

    # --- inside ------------------------------------------------------------------------------------------------------

    def _hear(self, **parts: Any) -> None:
        self._heard = replace(self._heard, **parts)
        self.changed.set()

    def _set_link(self, state: Any, reason: str = "") -> None:
        link = self._heard.link
        if link.state == state and link.reason == reason:
            return
        since_at = link.since_at if link.state == state else self._wall()
        if state == "live" and link.state != "live":
            self.read_again()
        self._hear(link=Link(state=state, since_at=since_at, reason=reason))

    def _again(self, *names: str) -> None:
        for name in names:
            if name in self._jobs:
                self._jobs[name].due_s = 0.0
        self._wake.set()


def event_filters(text: str) -> dict[str, Any]:
    """Give a filter of events as the stream takes it.

    Raises:
        ValueError: it holds something else than ``key=value`` with one of the stream's keys.
    """
    found: dict[str, Any] = {"kind": _EVENT_KINDS}
    for term in text.split():
        key, mark, value = term.partition("=")
        if not mark or not value or key not in _EVENT_FILTERS:
            raise ValueError(f"{term}: events are filtered by {', '.join(f'{name}=…' for name in _EVENT_FILTERS)}")
        found[key] = value
    return found


def _problem(error: HubError, filter_text: str) -> Listing[Any]:
    """Give a list that says why it is empty; what concerns the hub rather than the list is raised again."""
    if isinstance(error, (HubUnavailableError, UnauthorizedError, ForbiddenError)):
        raise error
    return Listing(filter=filter_text, problem=str(error), is_read=True)
