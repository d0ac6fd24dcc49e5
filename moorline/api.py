"""The routes of the HTTP API as calls: values in, values or errors out. No state, no retries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from moorline.answers import decoded
from moorline.errors import NotFoundError
from moorline.history_views import Attempt, AuditPage, ErrorGroup, History, NodeHistory
from moorline.transport import Answer, Transport
from moorline.views import (
    Alerts,
    Bulk,
    ChannelTest,
    Explanation,
    Identity,
    NodeCell,
    NodePage,
    NodeView,
    SilenceView,
    Stats,
    TaskLogs,
    TaskPage,
    TaskView,
)

# What an answer that the hub held back on purpose may take on top.
_WAIT_MARGIN_S: Final = 15.0

# The longest time limit of a channel, and the same margin.
_TEST_TIMEOUT_S: Final = 315.0


class Accepted(msgspec.Struct, frozen=True):
    """A task that the hub has committed. ``existing``: it had it before."""

    id: str
    state: str = ""
    existing: bool = False


class AcceptedMember(msgspec.Struct, frozen=True):
    """One node's task of a broadcast."""

    id: str
    node: str


class AcceptedBroadcast(msgspec.Struct, frozen=True):
    """A broadcast that the hub has committed."""

    group: str
    tasks: list[AcceptedMember]


class _AcceptedBatch(msgspec.Struct, frozen=True):
    tasks: list[Accepted]


class _Tests(msgspec.Struct, frozen=True):
    channels: list[ChannelTest]


class _Map(msgspec.Struct, frozen=True):
    nodes: list[NodeCell]


class _Errors(msgspec.Struct, frozen=True):
    groups: list[ErrorGroup]


class _Attempts(msgspec.Struct, frozen=True):
    attempts: list[Attempt]


class Api:
    """Each call is one request; each raises `HubError` leaves, `HubUnavailableError` if no answer came."""

    def __init__(self, transport: Transport, *, request_timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = request_timeout_s

    async def submit(self, body: bytes, count: int) -> list[Accepted]:
        """Submit ``count`` tasks, a line each; all or none. Gives them in the same order."""
        if count == 1:
            answer = await self._transport.request("POST", "/v1/tasks", body=body, timeout_s=self._timeout_s)
            return [decoded(answer, Accepted)]
        answer = await self._transport.request(
            "POST", "/v1/tasks", body=body, content_type="application/x-ndjson", timeout_s=self._timeout_s
        )
        return decoded(answer, _AcceptedBatch).tasks

    async def broadcast(self, body: bytes) -> AcceptedBroadcast:
        """Submit one task for each node that matches."""
        answer = await self._transport.request("POST", "/v1/broadcasts", body=body, timeout_s=self._timeout_s)
        return decoded(answer, AcceptedBroadcast)

    async def task(self, task_id: str, *, wait_s: float = 0.0) -> TaskView:
        """Give one task; with ``wait_s`` once it is final, or after so long."""
        answer = await self._transport.request(
            "GET",
            _task_path(task_id),
            query={"wait": f"{wait_s:g}"} if wait_s else None,
            timeout_s=wait_s + _WAIT_MARGIN_S if wait_s else self._timeout_s,
        )
        return decoded(answer, TaskView)

    async def tasks(self, query: Mapping[str, str]) -> TaskPage:
        """Give a page of tasks."""
        answer = await self._transport.request("GET", "/v1/tasks", query=query, timeout_s=self._timeout_s)
        return decoded(answer, TaskPage)

    async def tasks_by_id(self, task_ids: Sequence[str]) -> list[TaskView]:
        """Give those of the tasks that there are; at most 500 ids."""
        page = await self.tasks({"id": ",".join(task_ids), "limit": str(len(task_ids))})
        return page.tasks

    async def explain(self, task_id: str) -> Explanation:
        """Give why a task is where it is."""
        answer = await self._get(_task_path(task_id, "/explain"))
        return decoded(answer, Explanation)

    async def logs(self, task_id: str) -> TaskLogs:
        """Give what its handlers logged."""
        return decoded(await self._get(_task_path(task_id, "/logs")), TaskLogs)

    async def cancel(self, task_id: str) -> TaskView:
        """Cancel a task."""
        return decoded(await self._post(_task_path(task_id, "/cancel")), TaskView)

    async def retry(self, task_id: str) -> TaskView:
        """Queue a final task again."""
        return decoded(await self._post(_task_path(task_id, "/retry")), TaskView)

    async def change_tasks(self, request: Mapping[str, str | int | bool | None]) -> Bulk:
        """Cancel or retry all tasks that meet a filter."""
        body = msgspec.json.encode(request)
        answer = await self._transport.request("POST", "/v1/tasks/bulk", body=body, timeout_s=self._timeout_s)
        return decoded(answer, Bulk)

    async def nodes(self, query: Mapping[str, str]) -> NodePage:
        """Give a page of nodes, or all."""
        answer = await self._transport.request("GET", "/v1/nodes", query=query, timeout_s=self._timeout_s)
        return decoded(answer, NodePage)

    async def map(self) -> list[NodeCell]:
        """Give all nodes in few bytes."""
        return decoded(await self._get("/v1/map"), _Map).nodes

    async def node(self, node_id: str) -> NodeView:
        """Give one node."""
        return decoded(await self._get(f"/v1/nodes/{_segment('node', node_id)}"), NodeView)

    async def act_on_node(self, node_id: str, action: str) -> NodeView:
        """Do to a node what the route's last word says."""
        return decoded(await self._post(f"/v1/nodes/{_segment('node', node_id)}/{action}"), NodeView)

    async def alerts(self, query: Mapping[str, str]) -> Alerts:
        """Give a page of alerts, and silences, rules and channels."""
        answer = await self._transport.request("GET", "/v1/alerts", query=query, timeout_s=self._timeout_s)
        return decoded(answer, Alerts)

    async def silence(self, request: Mapping[str, str | float | None]) -> SilenceView:
        """Silence alerts."""
        body = msgspec.json.encode(request)
        answer = await self._transport.request("POST", "/v1/alerts/silences", body=body, timeout_s=self._timeout_s)
        return decoded(answer, SilenceView)

    async def end_silence(self, silence_id: str) -> SilenceView:
        """End a silence."""
        return decoded(await self._post(f"/v1/alerts/silences/{_segment('silence', silence_id)}/end"), SilenceView)

    async def test_alerts(self) -> list[ChannelTest]:
        """Try all channels; each may take as long as its receiver."""
        answer = await self._transport.request("POST", "/v1/alerts/test", timeout_s=_TEST_TIMEOUT_S)
        return decoded(answer, _Tests).channels

    async def me(self) -> Identity:
        """Give as whom the caller is known."""
        return decoded(await self._get("/v1/me"), Identity)

    async def stats(self) -> Stats:
        """Give the hub's counts."""
        return decoded(await self._get("/v1/stats"), Stats)

    async def attempts(self, task_id: str) -> list[Attempt]:
        """Give the attempts of a task."""
        return decoded(await self._get(_task_path(task_id, "/attempts")), _Attempts).attempts

    async def history(self, query: Mapping[str, str]) -> History:
        """Give samples as columns."""
        return decoded(await self._get("/v1/history", query), History)

    async def node_history(self, node_id: str, query: Mapping[str, str]) -> NodeHistory:
        """Give the spans of a node."""
        return decoded(await self._get(f"/v1/nodes/{_segment('node', node_id)}/history", query), NodeHistory)

    async def errors(self, limit: int) -> list[ErrorGroup]:
        """Give groups of errors."""
        return decoded(await self._get("/v1/errors", {"limit": str(limit)}), _Errors).groups

    async def audit(self, query: Mapping[str, str]) -> AuditPage:
        """Give a page of the audit log."""
        return decoded(await self._get("/v1/audit", query), AuditPage)

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return await self._transport.request("GET", path, query=query, timeout_s=self._timeout_s)

    async def _post(self, path: str) -> Answer:
        return await self._transport.request("POST", path, timeout_s=self._timeout_s)


def _task_path(task_id: str, rest: str = "") -> str:
    return f"/v1/tasks/{_segment('task', task_id)}{rest}"


def _segment(what: str, name: object) -> str:
    """Write an id into a path. What is none must not lead to another route."""
    if not isinstance(name, str) or not name:
        raise NotFoundError(f"there is no {what} {name!r}", code="not_found")
    return quote(name, safe="")
