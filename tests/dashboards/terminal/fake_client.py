"""A hub's client as far as the dashboard uses one, which answers what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from moorline.errors import NotFoundError
from moorline.history_views import Attempt, ErrorGroup, History, NodeHistory
from moorline.views import (
    Alerts,
    Bulk,
    Event,
    Explanation,
    Identity,
    NodeCell,
    NodePage,
    NodeView,
    Stats,
    TaskLogs,
    TaskPage,
    TaskView,
)


class FakeClient:
    """Answers from its attributes.

    Attributes:
        error: raised by everything that asks, while it is set.
        calls: what was asked, in order.
        streams: the queue of each event stream that is open, by its kinds.
    """

    def __init__(self, stats: Stats) -> None:
        self.answer = stats
        self.error: Exception | None = None
        self.refused_filter: Exception | None = None
        self.calls: list[str] = []
        self.streams: dict[tuple[str, ...], asyncio.Queue[Event]] = {}
        self.node_views: list[NodeView] = []
        self.task_views: list[TaskView] = []
        self.alerts_answer = Alerts()
        self.asked_last_ids: list[int | None] = []

    def _ask(self, what: str) -> None:
        self.calls.append(what)
        if self.error is not None:
            raise self.error

    async def events(
        self, *, kind: str | Iterable[str] = (), last_id: int | None = None, **_filters: Any
    ) -> AsyncGenerator[Event, None]:
        self.asked_last_ids.append(last_id)
        kinds = (kind,) if isinstance(kind, str) else tuple(kind)
        queue = self.streams[kinds] = asyncio.Queue()
        while True:
            yield await queue.get()

    async def stats(self) -> Stats:
        self._ask("stats")
        return self.answer

    async def me(self) -> Identity:
        self._ask("me")
        return Identity(role="read", name="watcher")

    async def node_page(self, filter_text: str = "", *, sort: str, limit: int) -> NodePage:
        self._ask(f"nodes {filter_text!r} {sort} {limit}")
        if self.refused_filter is not None:
            raise self.refused_filter
        return NodePage(nodes=self.node_views[:limit], total=len(self.node_views))

    async def node_history(self, node_id: str) -> NodeHistory:
        self._ask(f"presence {node_id}")
        return NodeHistory(node_id=node_id, since=0.0, until=86_400.0)

    async def task_page(self, filter_text: str = "", *, limit: int) -> TaskPage:
        self._ask(f"tasks {filter_text!r} {limit}")
        return TaskPage(tasks=self.task_views[:limit])

    async def slot_map(self) -> list[NodeCell]:
        self._ask("map")
        return [NodeCell(id=node.id, state=node.state, slots=node.slots) for node in self.node_views]

    async def history(self, *, step_s: int, since: float) -> History:
        self._ask("history")
        return History(step_s=step_s)

    async def errors(self, *, limit: int) -> list[ErrorGroup]:
        self._ask("errors")
        return []

    async def alerts(self) -> Alerts:
        self._ask("alerts")
        return self.alerts_answer

    async def get(self, task_id: str) -> TaskView:
        self._ask(f"task {task_id}")
        for task in self.task_views:
            if task.id == task_id:
                return task
        raise NotFoundError(f"there is no task {task_id}")

    async def attempts(self, task_id: str) -> list[Attempt]:
        self._ask("attempts")
        return []

    async def logs(self, task_id: str) -> TaskLogs:
        self._ask("logs")
        return TaskLogs()

    async def explain(self, task_id: str) -> Explanation:
        self._ask("explain")
        return Explanation(task_id=task_id, state="running", summary="It runs.")

    async def cancel(self, task_id: str) -> None:
        self._ask(f"cancel {task_id}")

    async def retry(self, task_id: str) -> None:
        self._ask(f"retry {task_id}")

    async def drain(self, node_id: str) -> None:
        self._ask(f"drain {node_id}")

    async def bulk(self, action: str, filter_text: str, *, count_only: bool = False, cursor: str | None = None) -> Bulk:
        self._ask(f"bulk {action} {filter_text!r} {'count' if count_only else 'do'} {cursor}")
        if count_only:
            return Bulk(matched=15_000)
        if cursor is None:
            return Bulk(matched=10_000, changed=10_000, more=True, cursor="next")
        return Bulk(matched=5_000, changed=4_999)
