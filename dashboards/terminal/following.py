"""Follows streams of events while they are looked at: all that happens, or what one task does."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import msgspec

from dashboards.terminal.knowledge import Knowledge
from dashboards.terminal.look import Look
from dashboards.terminal.snapshot import Listing
from dashboards.terminal.state import View
from moorline.client import Client
from moorline.errors import HubError
from moorline.views import Event, LogLine, Progress, TaskLogs

# Events that are kept to be seen, and how far back they begin.
EVENTS_KEPT: Final = 500
EVENTS_BACK: Final = 200
# What happened to nodes and alerts: so many are kept that a fleet which falls silent at once does not push out what was
# before it, and so many events are looked through for them in the beginning.
LATELY_KEPT: Final = 2_000
LATELY_BACK: Final = 5_000
# A stream that has said nothing for so long has told what there was.
SILENT_S: Final = 0.5
# Lines of a log that are kept beside what the hub keeps.
LOG_LINES_KEPT: Final = 1_000

PULSE: Final = "hub.pulse"
FLEET_KINDS: Final = ("node", "alert")
# All states, and neither progress nor logs: these are many, and are seen in the task.
EVENT_KINDS: Final = (
    "node", "alert", "task.scheduled", "task.queued", "task.running", "task.succeeded", "task.failed",
    "task.cancelled", "task.expired", "task.lost",
)  # fmt: skip
FILTERS: Final = ("kind", "origin", "task", "node", "name", "group")


class Follower:
    """Follows one stream at a time.

    Args:
        client: the way to the hub.
        knowledge: takes what is heard.
        read_task_again: called when more must be known of the open task than its events tell.
    """

    def __init__(self, client: Client, knowledge: Knowledge, read_task_again: Callable[[], None]) -> None:
        self._client = client
        self._knowledge = knowledge
        self._read_task_again = read_task_again
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._task: asyncio.Task[None] | None = None
        self._followed: tuple[str, ...] = ()

    def follow(self, look: Look) -> None:
        """Follow what is looked at from now on, and nothing else."""
        wanted: tuple[str, ...] = ()
        if look.view is View.EVENTS:
            wanted = ("events", look.event_filter)
        elif look.view is View.TASK and look.task_id:
            wanted = ("task", look.task_id)
        if wanted == self._followed:
            return
        self._followed = wanted
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if wanted:
            what, which = wanted
            following = self._follow_events(which) if what == "events" else self._follow_task(which)
            self._task = asyncio.get_running_loop().create_task(following, name=f"following {what}")

    async def stop(self) -> None:
        """Follow nothing any more; twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def read_once(self, filter_text: str) -> None:
        """Read the last events without following them."""
        try:
            filters = event_filters(filter_text)
        except ValueError as error:
            self._tell(filter_text, problem=str(error))
            return
        last_id = self._newest_id()
        found = await last_events(self._client, last_id, EVENTS_BACK, EVENTS_KEPT, filters)
        self._knowledge.hear(events=Listing(rows=found, filter=filter_text, is_read=True))

    async def _follow_events(self, filter_text: str) -> None:
        self._events.clear()
        self._tell(filter_text)
        try:
            filters = event_filters(filter_text)
            last_id = max(0, self._newest_id() - EVENTS_BACK)
            async with aclosing(self._client.events(**filters, last_id=last_id)) as stream:
                async for event in stream:
                    if event.kind != PULSE:
                        self._events.append(event)
                        self._knowledge.changed.set()
        except (ValueError, HubError) as error:
            self._tell(filter_text, problem=str(error))

    def rows(self) -> tuple[Event, ...]:
        """Give the events that were followed, newest first."""
        return tuple(reversed(self._events))

    def _tell(self, filter_text: str, problem: str = "") -> None:
        self._knowledge.hear(events=Listing(filter=filter_text, problem=problem, is_read=True))

    def _newest_id(self) -> int:
        stats = self._knowledge.heard.stats
        return stats.last_event_id if stats is not None else 0

    async def _follow_task(self, task_id: str) -> None:
        # What is wrong with the task or the hub is told by whoever reads it.
        with contextlib.suppress(HubError):
            async with aclosing(self._client.events(kind="task", task=task_id)) as stream:
                async for event in stream:
                    self._take_of_task(event)

    def _take_of_task(self, event: Event) -> None:
        detail = self._knowledge.heard.detail
        if detail is None or detail.task is None or detail.task_id != event.task_id:
            return
        if event.kind == "task.progress":
            progress = Progress(done=event.done or 0.0, total=event.total, message=event.message)
            task = msgspec.structs.replace(detail.task, progress=progress)
            self._knowledge.hear(detail=replace(detail, task=task))
        elif event.kind == "task.log":
            logs = detail.logs or TaskLogs()
            said = LogLine(at=event.at, attempt=event.attempt, level=event.level, message=event.message)
            kept = TaskLogs(lines=[*logs.lines, said][-LOG_LINES_KEPT:], dropped=logs.dropped)
            self._knowledge.hear(detail=replace(detail, logs=kept))
        else:
            self._read_task_again()


async def last_events(
    client: Client, newest_id: int, back: int, most: int, filters: Mapping[str, str | Iterable[str]]
) -> tuple[Event, ...]:
    """Give the last events, newest first: those among the ``back`` newest, until the stream has nothing more to say."""
    found: deque[Event] = deque(maxlen=most)
    chosen: dict[str, Any] = dict(filters)
    async with aclosing(client.events(**chosen, last_id=max(0, newest_id - back))) as stream:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    event = await anext(stream)
            except (TimeoutError, StopAsyncIteration):
                break
            found.append(event)
            if event.id is not None and event.id >= newest_id:
                break
    return tuple(reversed(found))


def event_filters(text: str) -> dict[str, Any]:
    """Give a filter of events as the stream takes it.

    Raises:
        ValueError: it holds something else than ``key=value`` with one of the stream's keys.
    """
    found: dict[str, Any] = {"kind": EVENT_KINDS}
    for term in text.split():
        key, mark, value = term.partition("=")
        if not mark or not value or key not in FILTERS:
            raise ValueError(f"{term}: events are filtered by {', '.join(f'{name}=…' for name in FILTERS)}")
        found[key] = value
    return found
