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

from dashboards.terminal import reading
from dashboards.terminal.following import FLEET_KINDS, LATELY_BACK, LATELY_KEPT, Follower, last_events
from dashboards.terminal.knowledge import Knowledge
from dashboards.terminal.look import Look, to_read
from dashboards.terminal.snapshot import Listing, Snapshot
from dashboards.terminal.state import View
from moorline.client import Client
from moorline.errors import ForbiddenError, HubError, HubUnavailableError, NotFoundError, UnauthorizedError
from moorline.views import Event

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
# How often is looked what is due: so soon a pulse that is missing is missed.
ROUND_S: Final = 0.25


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
        self._look = Look()
        self._knowledge = Knowledge(url, wall)
        self._follower = Follower(client, self._knowledge, lambda: self._again("detail"))
        self._lately: deque[Event] = deque(maxlen=LATELY_KEPT)
        self._counted = asyncio.Event()
        self._wake = asyncio.Event()
        # Whether a node may have come or gone since the map was read.
        self._is_map_old = True
        self._jobs = self._plan()

    @property
    def changed(self) -> asyncio.Event:
        """Set when a new picture may be worth drawing."""
        return self._knowledge.changed

    def snapshot(self) -> Snapshot:
        """Give what is known now."""
        snapshot = self._knowledge.snapshot()
        rows = self._follower.rows() if self._look.view is View.EVENTS else ()
        return replace(snapshot, events=replace(snapshot.events, rows=rows)) if rows else snapshot

    def look_at(self, look: Look) -> None:
        """Read this from now on."""
        before, self._look = self._look, look
        if look == before:
            return
        self._again(*to_read(before, look))
        if look.node_filter != before.node_filter:
            self._knowledge.hear(nodes=Listing(filter=look.node_filter))
        if look.task_filter != before.task_filter:
            self._knowledge.hear(tasks=Listing(filter=look.task_filter))
        self._follower.follow(look)

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
            await self._follower.stop()

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
        stats = self._knowledge.heard.stats
        if look.view is View.OVERVIEW or (stats is not None and stats.nodes.get("unreachable")):
            # Events tell why nodes are away, which the verdict of every view says.
            newest_id, filters = self._newest_id(), {"kind": FLEET_KINDS}
            lately = await last_events(self._client, newest_id, LATELY_BACK, LATELY_KEPT, filters)
            self._knowledge.hear(lately=lately)
        if look.view is View.EVENTS:
            await self._follower.read_once(look.event_filter)
        self._knowledge.set_link("live")

    # --- the pulse ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Take the hub's pulse, and know from its events when something must be read again."""
        # Until it is known which event is the newest, nobody can say where the last ones begin.
        await self._counted.wait()
        last_id = max(0, self._newest_id() - LATELY_BACK)
        while True:
            try:
                async with aclosing(self._client.events(kind=("hub", *FLEET_KINDS), last_id=last_id)) as stream:
                    async for event in stream:
                        self._take(event)
            except HubError:
                # What is wrong is told by whoever reads; here is only waited until it is right again.
                await asyncio.sleep(REFUSED_EVERY_S)

    def _take(self, event: Event) -> None:
        if event.stats is not None:
            before = self._knowledge.heard.stats
            if before is not None and before.nodes != event.stats.nodes:
                # The map must not say something else than the counts above it.
                self._is_map_old = True
                self._again("map")
            self._knowledge.hear(stats=event.stats, heard_at=self._knowledge.wall())
            self._is_live()
        elif event.kind == "reset":
            self.read_again()
        else:
            self._lately.append(event)
            self._knowledge.hear(lately=tuple(reversed(self._lately)))
            if event.kind.startswith("alert"):
                self._again("alerts")
            elif event.kind.startswith("node"):
                self._is_map_old = True

    # --- reading -----------------------------------------------------------------------------------------------------

    def _plan(self) -> dict[str, _Job]:
        """Give all that can be read, and when."""

        def every(period_s: float) -> Callable[[], float]:
            return lambda: period_s

        def on(view: View) -> Callable[[], bool]:
            return lambda: self._look.view is view

        def detail_every_s() -> float:
            return FINAL_EVERY_S if self._is_detail_final() else LIST_EVERY_S

        return {
            "stats": _Job(self._read_stats, self._is_pulse_late, every(AWAY_EVERY_S)),
            "tasks": _Job(self._read_tasks, on(View.TASKS), every(LIST_EVERY_S)),
            "nodes": _Job(self._read_nodes, on(View.NODES), every(LIST_EVERY_S)),
            "presence": _Job(self._read_presence, self._is_node_chosen, every(SLOW_EVERY_S)),
            "explanation": _Job(self._read_explanation, self._does_chosen_wait, every(SLOW_EVERY_S)),
            "detail": _Job(self._read_detail, self._is_task_open, detail_every_s),
            "map": _Job(self._read_map, self._is_map_needed, every(MAP_EVERY_S)),
            "trends": _Job(self._read_trends, on(View.OVERVIEW), every(SLOW_EVERY_S)),
            "errors": _Job(self._read_errors, on(View.OVERVIEW), every(SLOW_EVERY_S)),
            "alerts": _Job(self._read_alerts, self._are_alerts_needed, every(SLOW_EVERY_S)),
            "role": _Job(self._read_role, lambda: True, every(ROLE_EVERY_S)),
        }

    def _is_pulse_late(self) -> bool:
        heard = self._knowledge.heard
        return heard.heard_at is None or not heard.is_live or self._knowledge.wall() - heard.heard_at > PULSE_LATE_S

    def _is_map_needed(self) -> bool:
        """Tell whether the map is seen, or the verdict of all views must name nodes that it does not know of yet."""
        stats = self._knowledge.heard.stats
        is_somebody_away = stats is not None and stats.nodes.get("unreachable", 0) > 0
        return self._look.view is View.OVERVIEW or (is_somebody_away and self._is_map_old)

    def _are_alerts_needed(self) -> bool:
        """Tell whether alerts are seen: what fires stands in the verdict of all views."""
        heard = self._knowledge.heard
        is_firing = heard.stats is not None and heard.stats.alerts.firing > 0
        return self._look.view is View.OVERVIEW or is_firing or bool(heard.alerts)

    def _is_task_open(self) -> bool:
        return self._look.view is View.TASK and bool(self._look.task_id)

    def _is_node_chosen(self) -> bool:
        return self._look.view is View.NODES and bool(self._look.node_id)

    def _does_chosen_wait(self) -> bool:
        return self._look.view is View.TASKS and bool(self._look.waiting_id)

    def _is_detail_final(self) -> bool:
        detail = self._knowledge.heard.detail
        return detail is not None and detail.task is not None and detail.task.is_final

    def _newest_id(self) -> int:
        stats = self._knowledge.heard.stats
        return stats.last_event_id if stats is not None else 0

    async def _read(self) -> None:
        """Read what is due, one after the other, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            due = [job for job in self._jobs.values() if job.is_needed() and job.due_s <= now_s]
            if not self._knowledge.heard.is_live:
                # A hub that is away is asked for nothing but a sign of life.
                due = [job for job in due if job is self._jobs["stats"]]
            for job in due:
                begun_s = loop.time()
                rest_s = await self._try(job)
                ended_s = loop.time()
                job.due_s = ended_s + max(job.every_s(), rest_s, REST_FACTOR * (ended_s - begun_s))
                if not self._knowledge.heard.is_live:
                    break
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_S):
                    await self._wake.wait()

    async def _try(self, job: _Job) -> float:
        """Read one thing, and take note of how the hub is; give for how long it should not be asked again."""
        try:
            await job.read()
        except HubUnavailableError as error:
            self._knowledge.set_link("away", error.message)
            return 0.0
        except (UnauthorizedError, ForbiddenError) as error:
            self._knowledge.set_link("refused", str(error))
            return REFUSED_EVERY_S
        except NotFoundError:
            # An earlier hub, which does not know this route: what it would say stays unknown.
            logger.debug("the hub knows nothing of what was asked", exc_info=True)
        except HubError as error:
            self._knowledge.set_link("away", str(error))
            return 0.0
        self._is_live()
        return 0.0

    def _is_live(self) -> None:
        if self._knowledge.set_link("live"):
            self.read_again()

    async def _read_stats(self) -> None:
        stats = await self._client.stats()
        self._knowledge.hear(stats=stats, heard_at=self._knowledge.wall())
        self._counted.set()

    async def _read_map(self) -> None:
        self._is_map_old = False
        self._knowledge.hear(map=await reading.read_map(self._client))

    async def _read_trends(self) -> None:
        self._knowledge.hear(trends=await reading.read_trends(self._client, self._knowledge.wall()))

    async def _read_errors(self) -> None:
        self._knowledge.hear(errors=await reading.read_errors(self._client))

    async def _read_alerts(self) -> None:
        alerts, over = await reading.read_alerts(self._client, self._knowledge.wall())
        self._knowledge.hear(alerts=alerts, over=over)

    async def _read_role(self) -> None:
        self._knowledge.hear(role=(await self._client.me()).role or "")

    async def _read_nodes(self) -> None:
        look = self._look
        try:
            listing = await reading.read_nodes(self._client, look.node_filter, look.node_sort, look.rows)
        except HubError as error:
            listing = _problem(error, look.node_filter)
        if look.node_filter == self._look.node_filter:
            self._knowledge.hear(nodes=listing)

    async def _read_presence(self) -> None:
        self._knowledge.hear(presence=await reading.read_presence(self._client, self._look.node_id))

    async def _read_tasks(self) -> None:
        look, now_at = self._look, self._knowledge.wall()
        try:
            listing = await reading.read_tasks(self._client, look.task_filter, look.task_sort, look.rows, now_at)
        except HubError as error:
            listing = _problem(error, look.task_filter)
        if look.task_filter == self._look.task_filter:
            self._knowledge.hear(tasks=listing)

    async def _read_explanation(self) -> None:
        self._knowledge.hear(explanation=await self._client.explain(self._look.waiting_id))

    async def _read_detail(self) -> None:
        task_id = self._look.task_id
        detail = await reading.read_detail(self._client, task_id)
        if task_id == self._look.task_id:
            self._knowledge.hear(detail=detail)

    def _again(self, *names: str) -> None:
        for name in names:
            self._jobs[name].due_s = 0.0
        self._wake.set()


def _problem(error: HubError, filter_text: str) -> Listing[Any]:
    """Give a list that says why it is empty; what concerns the hub rather than the list is raised again."""
    if isinstance(error, (HubUnavailableError, UnauthorizedError, ForbiddenError)):
        raise error
    return Listing(filter=filter_text, problem=str(error), is_read=True)
