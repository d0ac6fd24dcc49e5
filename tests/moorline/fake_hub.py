"""A hub on a real socket with the contract of docs/reference/http-api.md, and levers to make it misbehave.

Tasks are decided by the test: `decide` maps a task to its outcome, or to None while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from aiohttp import web

from hub.accepting import accept_no_more
from moorline.views import FINAL_STATES

Task = dict[str, Any]
Decide = Callable[[Task], Task | None]


def succeed(task: Task) -> Task:
    return {"state": "succeeded", "value": task["payload"]}


def hold(task: Task) -> None:
    return None


def refusal(code: str, message: str, remedy: str = "", where: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "remedy": remedy, "where": where}}


class FakeHub:
    def __init__(self, decide: Decide = succeed) -> None:
        self.decide: Decide = decide
        self.port = 0
        self.tasks: dict[str, Task] = {}
        self.events: list[dict[str, Any]] = []
        self.kept_from = 0
        self.hub_id = "h1"
        self.node_ids = ["n1", "n2"]
        # What clients asked: method, path with query, body.
        self.requests: list[tuple[str, str, bytes]] = []
        self.batches: list[int] = []
        # Levers: answers to give instead of doing anything; submits to commit without an answer; values left out.
        self.instead: list[web.Response] = []
        self.swallow_answers = 0
        self.refuse_line: Callable[[Task], bool] = lambda task: False
        self.without_values = False
        self.token: str | None = None
        # Streams that are open, and questions that are held open.
        self.streams = 0
        self.waits = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._closing = asyncio.Event()
        app = web.Application(middlewares=[self._door], client_max_size=16 * 1024 * 1024)
        app.router.add_post("/v1/tasks", self._submit)
        app.router.add_post("/v1/broadcasts", self._broadcast)
        app.router.add_get("/v1/tasks", self._list)
        app.router.add_get("/v1/tasks/{id}", self._get)
        app.router.add_get("/v1/tasks/{id}/explain", self._explain)
        app.router.add_get("/v1/tasks/{id}/logs", self._logs)
        app.router.add_post("/v1/tasks/{id}/cancel", self._cancel)
        app.router.add_post("/v1/tasks/{id}/retry", self._retry)
        app.router.add_get("/v1/nodes", self._nodes)
        app.router.add_get("/v1/map", self._map)
        app.router.add_post("/v1/tasks/bulk", self._bulk)
        app.router.add_get("/v1/nodes/{id}", self._node)
        app.router.add_post("/v1/nodes/{id}/{action}", self._act)
        app.router.add_get("/v1/stats", self._stats)
        for path in ("/v1/history", "/v1/nodes/{id}/history", "/v1/errors", "/v1/tasks/{id}/attempts", "/v1/audit"):
            app.router.add_get(path, self._past)
        app.router.add_get("/v1/events", self._stream)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(self._runner.server, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection, keep the store."""
        self._closing.set()
        async with self._changed:
            self._changed.notify_all()
        if self._runner is not None:
            assert self._server is not None
            await accept_no_more(self._server)
            await self._runner.cleanup()
            self._runner = None

    async def finish(self, task_id: str, **outcome: Any) -> None:
        await self._commit(self.tasks[task_id], outcome)

    async def until(self, fact: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(fact)

    def forget_events(self) -> None:
        """Keep no event that has been, as after retention."""
        self.kept_from = len(self.events)

    # --- routes -------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs, await request.read()))
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response(refusal("unauthorized", "the token is unknown"), status=401)
        if self.instead and request.path != "/v1/events":
            return self.instead.pop(0)
        try:
            answer: web.StreamResponse = await handler(request)
        except KeyError as error:
            return web.json_response(refusal("not_found", f"there is no {error}"), status=404)
        return answer

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        is_batch = request.content_type == "application/x-ndjson"
        lines = (await request.read()).splitlines()
        new = [orjson.loads(line) for line in lines]
        for number, task in enumerate(new, 1):
            if self.refuse_line(task):
                where = f"line {number}" if is_batch else ""
                return web.json_response(refusal("invalid_task", "it is wrong", "make it right", where), status=400)
        accepted = [await self._take(task) for task in new]
        self.batches.append(len(new))
        if self.swallow_answers:
            self.swallow_answers -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if is_batch:
            return web.json_response({"tasks": accepted})
        return web.json_response(accepted[0], status=200 if accepted[0]["existing"] else 201)

    async def _take(self, new: Task, **more: Any) -> dict[str, Any]:
        key = new.get("options", {}).get("idempotency_key")
        known = self.tasks.get(new["id"]) or next(
            (task for task in self.tasks.values() if key and task["options"].get("idempotency_key") == key), None
        )
        if known is not None:
            return {"id": known["id"], "state": known["state"], "existing": True}
        task = {"payload": {}, "options": {}, "attempt": 1, "state": "queued", **new, **more}
        task["origin"] = task["options"].get("origin", "")
        self.tasks[task["id"]] = task
        accepted = {"id": task["id"], "state": task["state"], "existing": False}
        outcome = self.decide(task)
        if outcome is not None:
            await self._commit(task, outcome)
        return accepted

    async def _commit(self, task: Task, outcome: Task) -> None:
        async with self._changed:
            task.update(outcome)
            event = {"id": len(self.events) + 1, "at": 1.0, "kind": f"task.{task['state']}", "task_id": task["id"]}
            event |= {key: task[key] for key in ("name", "state", "attempt", "origin") if key in task}
            event |= {key: outcome[key] for key in ("error", "value") if key in outcome}
            if self.without_values:
                event.pop("value", None)
            self.events.append(event)
            self._changed.notify_all()

    async def _broadcast(self, request: web.Request) -> web.StreamResponse:
        new = orjson.loads(await request.read())
        members = []
        for node_id in self.node_ids:
            member = {**new, "id": f"{new['id']}.{node_id}"}
            accepted = await self._take(member, group=new["id"], node=node_id)
            members.append({**accepted, "node": node_id})
        return web.json_response({"group": new["id"], "tasks": members}, status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        ids = request.query["id"].split(",") if "id" in request.query else list(self.tasks)
        found = [self.tasks[task_id] for task_id in ids if task_id in self.tasks]
        if "state" in request.query:
            found = [task for task in found if task["state"] in request.query["state"].split(",")]
        found.reverse()
        start = int(request.query.get("cursor", "0"))
        end = start + int(request.query.get("limit", "50"))
        page = [{key: task[key] for key in task if key not in {"payload", "value"}} for task in found[start:end]]
        return web.json_response({"tasks": page, "cursor": str(end) if end < len(found) else None})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        task = self.tasks[request.match_info["id"]]
        wait_s = float(request.query.get("wait", "0"))
        async with self._changed:
            self.waits += wait_s > 0
            self._changed.notify_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait_for(lambda: task["state"] in FINAL_STATES or self._closing.is_set())
        return web.json_response(task)

    async def _explain(self, request: web.Request) -> web.StreamResponse:
        task = self.tasks[request.match_info["id"]]
        nodes = [{"node_id": "n1", "reason": "busy", "detail": "1 of 1 slots"}]
        said = {"task_id": task["id"], "state": task["state"], "summary": "it waits", "position": 1, "nodes": nodes}
        return web.json_response(said)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        lines = [{"at": 1.0, "attempt": 1, "level": "INFO", "message": self.tasks[request.match_info["id"]]["id"]}]
        return web.json_response({"lines": lines, "dropped": 2})

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        task = self.tasks[request.match_info["id"]]
        if task["state"] not in FINAL_STATES:
            error = {"kind": "cancelled", "message": "somebody asked for it"}
            await self._commit(task, {"state": "cancelled", "error": error})
        return web.json_response(task)

    async def _retry(self, request: web.Request) -> web.StreamResponse:
        task = self.tasks[request.match_info["id"]]
        if task["state"] not in FINAL_STATES - {"succeeded"}:
            return web.json_response(refusal("conflict", f"it is {task['state']}"), status=409)
        task["state"] = "queued"
        return web.json_response(task)

    async def _nodes(self, request: web.Request) -> web.StreamResponse:
        start = int(request.query.get("cursor", "0"))
        end = start + int(request.query.get("limit", "1000"))
        page = [self._node_document(node_id) for node_id in self.node_ids[start:end]]
        total = len(self.node_ids)
        return web.json_response({"nodes": page, "total": total, "cursor": str(end) if end < total else None})

    async def _map(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"nodes": [[node_id, "online", 4, 1, False] for node_id in self.node_ids]})

    async def _bulk(self, request: web.Request) -> web.StreamResponse:
        asked = orjson.loads(await request.read())
        return web.json_response(
            {"matched": 3, "changed": 0 if asked["count_only"] else 2, "more": True, "cursor": "9"}
        )

    async def _node(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._node_document(request.match_info["id"]))

    async def _act(self, request: web.Request) -> web.StreamResponse:
        action = request.match_info["action"]
        return web.json_response({**self._node_document(request.match_info["id"]), "cordoned": action == "cordon"})

    def _node_document(self, node_id: str) -> dict[str, Any]:
        if node_id not in self.node_ids:
            raise KeyError(node_id)
        return {"id": node_id, "state": "online", "totals": {"succeeded": 3, "run_s": 1.5}, "a later field": 1}

    async def _past(self, request: web.Request) -> web.StreamResponse:
        """Give something of each shape: what a hub says about the past is read, not judged, by a client."""
        if request.match_info.get("id") == "nobody":
            raise KeyError("nobody")
        start = int(request.query.get("cursor", "5"))
        lines = [{"id": number, "at": 1.0, "who": "ann", "action": "node.drain"} for number in range(start - 1, 0, -1)]
        limit = int(request.query.get("limit", "1000"))
        documents = {
            "/v1/history": {"step_s": 300, "at": [300.0], "submitted": [7], "wait_p50_s": [None], "later": 1},
            "/v1/nodes/n1/history": {
                "node_id": "n1",
                "since": 1.0,
                "until": 2.0,
                "spans": [{"began_at": 1.0, "ended_at": None, "state": "online", "reason": ""}],
            },
            "/v1/errors": {"groups": [{"id": "a1", "name": "add", "kind": "error", "count": 3}]},
            "/v1/tasks/t/attempts": {"attempts": [{"attempt": 1, "outcome": "lost", "error": {"kind": "lost"}}]},
            "/v1/audit": {
                "entries": lines[:limit],
                "cursor": str(lines[limit - 1]["id"]) if len(lines) > limit else None,
            },
        }
        return web.json_response(documents[request.path])

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"hub": {"id": self.hub_id}, "tasks": {"queued": 1}, "totals": {"succeeded": 3}})

    # --- the stream ---------------------------------------------------------------------------------------------------

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        position = int(request.query.get("last_event_id", len(self.events)))
        hello = orjson.dumps({"id": len(self.events), "hub_id": self.hub_id})
        await response.write(b"event: hello\nid: %d\ndata: %b\n\n: a comment\n\n" % (position, hello))
        if position > len(self.events) or position < self.kept_from:
            position = len(self.events)
            await response.write(b'event: reset\nid: %d\ndata: {"id":%d}\n\n' % (position, position))
        async with self._counted():
            while not self._closing.is_set():
                news = self.events[position:]
                # Counted before they are written: meanwhile there may be more.
                position += len(news)
                for event in news:
                    if _is_meant(event, request.query):
                        await response.write(b"id: %d\ndata: %b\n\n" % (event["id"], orjson.dumps(event)))
                await self._wait_for_more_than(position)
        return response

    async def _wait_for_more_than(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.events) > count or self._closing.is_set())

    @contextlib.asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        async with self._changed:
            self.streams += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            self.streams -= 1


def _is_meant(event: dict[str, Any], query: Any) -> bool:
    kinds = query["kind"].split(",") if "kind" in query else []
    return (not kinds or any(event["kind"] == kind or event["kind"].startswith(f"{kind}.") for kind in kinds)) and all(
        query.get(parameter, event.get(field)) == event.get(field)
        for parameter, field in (("origin", "origin"), ("task", "task_id"), ("name", "name"))
    )
