"""The way to a hub in memory: the routes of the HTTP API without HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import msgspec
import orjson
from msgspec import UNSET

from moorline.errors import HubError
from moorline.task_ids import new_task_id
from moorline.testing.local_hub import NODE_ID, LocalHub, LocalTask, NewTask, Refusal, StoredEvent
from moorline.transport import Answer, StreamedAnswer

_Query: TypeAlias = Mapping[str, str]

# As the real API: a page unless more are asked for.
_TASKS_PER_PAGE: Final = 50
_ERRORS_PER_PAGE: Final = 100


class LocalTransport:
    """A `moorline.transport.Transport` that ends in this process."""

    def __init__(self, hub: LocalHub) -> None:
        self._hub = hub
        self._closed = False
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Awaitable[tuple[int, Any]]]], ...] = (
            ("POST", re.compile(r"/v1/tasks"), self._submit),
            ("POST", re.compile(r"/v1/broadcasts"), self._broadcast),
            ("GET", re.compile(r"/v1/tasks"), self._list),
            ("GET", re.compile(r"/v1/tasks/(?P<task_id>[^/]+)"), self._get),
            ("GET", re.compile(r"/v1/tasks/(?P<task_id>[^/]+)/explain"), self._explain),
            ("GET", re.compile(r"/v1/tasks/(?P<task_id>[^/]+)/logs"), self._logs),
            ("GET", re.compile(r"/v1/tasks/(?P<task_id>[^/]+)/attempts"), self._attempts),
            ("POST", re.compile(r"/v1/tasks/(?P<task_id>[^/]+)/cancel"), self._cancel),
            ("POST", re.compile(r"/v1/tasks/(?P<task_id>[^/]+)/retry"), self._retry),
            ("GET", re.compile(r"/v1/nodes"), self._nodes),
            ("GET", re.compile(r"/v1/nodes/(?P<node_id>[^/]+)"), self._node),
            (
                "POST",
                re.compile(r"/v1/nodes/(?P<node_id>[^/]+)/(?P<action>cordon|uncordon|drain|disconnect)"),
                self._act_on_node,
            ),
            ("GET", re.compile(r"/v1/map"), self._map),
            ("GET", re.compile(r"/v1/stats"), self._stats),
            ("GET", re.compile(r"/v1/errors"), self._errors),
            ("GET", re.compile(r"/v1/me"), self._me),
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout_s: float,
    ) -> Answer:
        """See `Transport.request`."""
        del content_type, timeout_s  # one line or many, and at once
        if self._closed:
            raise HubError("the client is closed", remedy="make another one")
        try:
            status, document = await self._answer(method, path, query or {}, body or b"")
        except Refusal as refusal:
            return Answer(status=refusal.status, body=orjson.dumps({"error": refusal.problem}))
        return Answer(status=status, body=msgspec.json.encode(document))

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[StreamedAnswer]:
        """See `Transport.stream`."""
        del path  # there is one stream
        queue: asyncio.Queue[StoredEvent] = asyncio.Queue()
        stop = self._hub.listen(queue.put_nowait)
        try:
            yield StreamedAnswer(status=200, pieces=self._pieces(query, queue))
        finally:
            stop()

    async def close(self) -> None:
        """See `Transport.close`."""
        self._closed = True
        await self._hub.close()

    # --- routes -------------------------------------------------------------------------------------------------------

    async def _answer(self, method: str, path: str, query: _Query, body: bytes) -> tuple[int, Any]:
        for routed_method, pattern, route in self._routes:
            found = pattern.fullmatch(path)
            if found and routed_method == method:
                return await route(query, body, **found.groupdict())
        message = f"a local hub does not answer {method} {path}"
        raise Refusal(501, "not_simulated", message, remedy="test this against a hub: `moorline dev`")

    async def _submit(self, _query: _Query, body: bytes) -> tuple[int, Any]:
        lines = body.splitlines()
        taken = self._hub.submit([_new_task(line, number) for number, line in enumerate(lines, 1)])
        accepted = [{"id": task.id, "state": task.state, "existing": existing} for task, existing in taken]
        return (200, {"tasks": accepted}) if len(lines) > 1 else (201, accepted[0])

    async def _broadcast(self, _query: _Query, body: bytes) -> tuple[int, Any]:
        new = _new_task(body, 1)
        group = new.id or new_task_id()
        member = msgspec.structs.replace(new, id=f"{group}.{NODE_ID}")
        ((task, existing),) = self._hub.submit([member], group=group)
        shown = {"id": task.id, "node": NODE_ID, "state": task.state, "existing": existing}
        return 201, {"group": group, "tasks": [shown]}

    async def _list(self, query: _Query, _body: bytes) -> tuple[int, Any]:
        _refuse_filter(query)
        newest_first = [task for task in reversed(self._hub.tasks.values()) if _is_wanted(task, query)]
        start = int(query.get("cursor", "0"))
        end = start + int(query.get("limit", _TASKS_PER_PAGE))
        page = [msgspec.structs.replace(task, payload=UNSET, value=UNSET) for task in newest_first[start:end]]
        return 200, {"tasks": page, "cursor": str(end) if end < len(newest_first) else None}

    async def _get(self, query: _Query, _body: bytes, task_id: str) -> tuple[int, Any]:
        return 200, await self._hub.wait(task_id, float(query.get("wait", "0")))

    async def _explain(self, _query: _Query, _body: bytes, task_id: str) -> tuple[int, Any]:
        return 200, self._hub.explain(task_id)

    async def _logs(self, _query: _Query, _body: bytes, task_id: str) -> tuple[int, Any]:
        return 200, self._hub.logs(task_id)

    async def _attempts(self, _query: _Query, _body: bytes, task_id: str) -> tuple[int, Any]:
        return 200, {"attempts": self._hub.attempts(task_id)}

    async def _cancel(self, _query: _Query, _body: bytes, task_id: str) -> tuple[int, Any]:
        return 200, self._hub.cancel(task_id)

    async def _retry(self, _query: _Query, _body: bytes, task_id: str) -> tuple[int, Any]:
        return 200, self._hub.retry(task_id)

    async def _nodes(self, query: _Query, _body: bytes) -> tuple[int, Any]:
        _refuse_filter(query)
        return 200, {"nodes": [self._hub.node()], "total": 1, "cursor": None}

    async def _map(self, _query: _Query, _body: bytes) -> tuple[int, Any]:
        node = self._hub.node()
        return 200, {"nodes": [[node.id, node.state, node.slots, node.slots_in_use, node.cordoned]]}

    async def _node(self, _query: _Query, _body: bytes, node_id: str) -> tuple[int, Any]:
        _check_node(node_id)
        return 200, self._hub.node()

    async def _act_on_node(self, _query: _Query, _body: bytes, node_id: str, action: str) -> tuple[int, Any]:
        _check_node(node_id)
        return 200, self._hub.act_on_node(action)

    async def _stats(self, _query: _Query, _body: bytes) -> tuple[int, Any]:
        return 200, self._hub.stats()

    async def _errors(self, query: _Query, _body: bytes) -> tuple[int, Any]:
        return 200, {"groups": self._hub.past.errors(int(query.get("limit", _ERRORS_PER_PAGE)))}

    async def _me(self, _query: _Query, _body: bytes) -> tuple[int, Any]:
        # As a hub without tokens.
        return 200, {"role": "admin", "name": "", "needs_login": False}

    # --- the stream ---------------------------------------------------------------------------------------------------

    async def _pieces(self, query: _Query, queue: asyncio.Queue[StoredEvent]) -> AsyncIterator[bytes]:
        # What happens from here on is in the queue: the stream listens already.
        hello = {"id": self._hub.last_event_id, "hub_id": self._hub.hub_id}
        yield b"event: hello\ndata: %b\n\n" % orjson.dumps(hello)
        if "last_event_id" in query:
            last_id = int(query["last_event_id"])
            for event in [event for event in self._hub.events if event.id is not UNSET and event.id > last_id]:
                if _is_meant(event, query):
                    yield _sse(event)
        while True:
            event = await queue.get()
            if _is_meant(event, query):
                yield _sse(event)


def _new_task(line: bytes, number: int) -> NewTask:
    try:
        return msgspec.json.decode(line, type=NewTask)
    except msgspec.DecodeError as error:
        raise Refusal(400, "invalid_task", str(error), where=f"line {number}") from error


def _check_node(node_id: str) -> None:
    if node_id != NODE_ID:
        raise Refusal(404, "not_found", f"there is no node {node_id}; the one of a local hub is {NODE_ID!r}")


def _refuse_filter(query: _Query) -> None:
    """Refuse what only a hub can read, rather than select everything in silence."""
    if "filter" in query:
        remedy = "use the parameters of `list`, or test against a hub: `moorline dev`"
        raise Refusal(400, "invalid_query", "a local hub reads no filters", remedy=remedy)


def _is_wanted(task: LocalTask, query: _Query) -> bool:
    label, _, text = query.get("label", "").partition("=")
    return (
        ("state" not in query or task.state in query["state"].split(","))
        and ("id" not in query or task.id in query["id"].split(","))
        and ("since" not in query or task.submitted_at >= float(query["since"]))
        and (not label or task.labels.get(label) == text)
        and all(query.get(key, value) == value for key, value in _texts(task))
    )


def _texts(task: LocalTask) -> tuple[tuple[str, str], ...]:
    return ("name", task.name), ("node", task.node or ""), ("group", task.group), ("origin", task.origin)


def _is_meant(event: StoredEvent, query: _Query) -> bool:
    kinds = query["kind"].split(",") if "kind" in query else []
    texts = ("origin", event.origin), ("task", event.task_id), ("node", event.node_id)
    more = ("name", event.name), ("group", event.group)
    return (not kinds or any(event.kind == kind or event.kind.startswith(f"{kind}.") for kind in kinds)) and all(
        query.get(key, value) == value for key, value in (*texts, *more)
    )


def _sse(event: StoredEvent) -> bytes:
    number = b"" if event.id is UNSET else b"id: %d\n" % event.id
    return b"%bdata: %b\n\n" % (number, msgspec.json.encode(event))
