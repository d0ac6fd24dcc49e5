"""A hub for the tests of commands: the routes of `docs/reference/http-api.md` over one list of tasks and nodes.

What becomes of a submitted task stands in its name: `add` succeeds, `boom` fails, `cancelled`, `expired` and `lost` end
like that, anything else stays queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from click.testing import CliRunner, Result

from hub.accepting import accept_no_more
from moorline.cli import cli
from tests.pseudo_terminal import on_terminal

OUTCOMES = {"add": "succeeded", "boom": "failed", "cancelled": "cancelled", "expired": "expired", "lost": "lost"}
PROBLEM = {
    "kind": "error",
    "message": "no good\x1b[31m",
    "type": "RuntimeError",
    "traceback": "Traceback (most recent call last):\n  boom\n",
    "retryable": False,
}


def refusal(status: int, code: str, message: str, remedy: str = "") -> web.Response:
    return web.json_response({"error": {"code": code, "message": message, "remedy": remedy}}, status=status)


class CliHub:
    """Serves from a thread of its own between enter and exit.

    Attributes:
        token: if set, every call needs it.
        requests: `METHOD path?query` of each request.
        tasks, nodes: by id, as the API shows them.
        changes: what `POST /v1/tasks/bulk` was asked for; it does it to all tasks, two at a time.
        events: what a new event stream begins with.
        attempts: of every task; None: a hub from before they were kept.
        groups, lines: errors that are alike, and the audit log.
        alerts: what `GET /v1/alerts` gives; `silences`: what was asked for; `tested`: what a test gives.
    """

    def __init__(self) -> None:
        self.token: str | None = None
        self.requests: list[str] = []
        self.submitted: list[dict[str, Any]] = []
        self.tasks: dict[str, dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.alerts: dict[str, list[dict[str, Any]]] = {"alerts": [], "silences": [], "rules": [], "channels": []}
        self.silences: list[dict[str, Any]] = []
        self.tested: list[dict[str, Any]] = []
        self.last_event_ids: list[str | None] = []
        self.logs: dict[str, Any] = {"lines": [], "dropped": 0}
        self.explanation: dict[str, Any] = {}
        self.attempts: list[dict[str, Any]] | None = []
        self.groups: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _serve(self) -> None:
        application = web.Application(middlewares=[self._at_the_door])
        application.add_routes(
            [
                web.post("/v1/tasks", self._submit),
                web.get("/v1/tasks", self._list),
                web.post("/v1/tasks/bulk", self._bulk),
                web.get("/v1/tasks/{id}", self._get),
                web.get("/v1/tasks/{id}/explain", self._explain),
                web.get("/v1/tasks/{id}/logs", self._logs),
                web.get("/v1/tasks/{id}/attempts", self._attempts),
                web.get("/v1/errors", self._errors),
                web.get("/v1/audit", self._audit),
                web.post("/v1/tasks/{id}/{act}", self._act),
                web.get("/v1/nodes", self._nodes),
                web.get("/v1/nodes/{id}", self._node),
                web.post("/v1/nodes/{id}/{act}", self._act_on_node),
                web.get("/v1/alerts", self._alerts),
                web.post("/v1/alerts/silences", self._silence),
                web.post("/v1/alerts/silences/{id}/end", self._end_silence),
                web.post("/v1/alerts/test", self._test_alerts),
                web.get("/v1/stats", self._stats),
                web.get("/v1/events", self._events),
            ]
        )
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        assert runner.server is not None
        server = await self._loop.create_server(runner.server, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        for stream in self._streams:
            stream.put_nowait(None)
        await accept_no_more(server)
        await runner.cleanup()

    @web.middleware
    async def _at_the_door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        given = request.headers.get("Authorization", "")
        if self.token is not None and given != f"Bearer {self.token}":
            if given.startswith("Bearer read"):
                return refusal(403, "forbidden", "a token of role read may not do this")
            return refusal(401, "unauthorized", "there is no token")
        response: web.StreamResponse = await handler(request)
        return response

    async def _alerts(self, request: web.Request) -> web.Response:
        """Give one alert a page: how many a hub gives is its own affair."""
        place = int(request.query.get("cursor", "0"))
        alerts = self.alerts["alerts"]
        cursor = str(place + 1) if place + 1 < len(alerts) else None
        page = {"alerts": alerts[place : place + 1], "total": len(alerts), "cursor": cursor}
        return web.json_response(self.alerts | page)

    async def _silence(self, request: web.Request) -> web.Response:
        self.silences.append(json.loads(await request.read()))
        return web.json_response({"id": "silence-1", "until_at": 1700000000.0}, status=201)

    async def _end_silence(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != "silence-1":
            return refusal(404, "not_found", "there is no silence", "GET /v1/alerts lists those that are not over")
        return web.json_response({"id": "silence-1", "until_at": 1700000000.0})

    async def _test_alerts(self, _request: web.Request) -> web.Response:
        return web.json_response({"channels": self.tested})

    async def _submit(self, request: web.Request) -> web.Response:
        task = json.loads(await request.read())
        self.submitted.append(task)
        if task["name"] == "refused":
            return refusal(400, "invalid_task", "payload.x is 7", "a text")
        options = task["options"]
        state = OUTCOMES.get(task["name"], "queued")
        view = {
            "id": task["id"], "name": task["name"], "state": state, "attempt": 1, "origin": options["origin"],
            "payload": task.get("payload", {}), "submitted_at": 1700000000.0, "run_s": 0.25, "node": "n1",
        }  # fmt: skip
        event = {
            "id": 1,
            "kind": f"task.{state}",
            "task_id": task["id"],
            "name": task["name"],
            "state": state,
            "attempt": 1,
        }
        if state == "succeeded":
            view["value"] = event["value"] = sum(view["payload"].values()) if view["payload"] else None
        if state == "failed":
            view["error"] = event["error"] = PROBLEM
        self.tasks[task["id"]] = view
        # The client listens to outcomes only.
        for stream in self._streams if task["name"] in OUTCOMES else ():
            stream.put_nowait(_message(event))
        return web.json_response({"id": task["id"], "state": state, "existing": False}, status=201)

    def _found(self, request: web.Request) -> dict[str, Any]:
        view = self.tasks.get(request.match_info["id"])
        if view is None:
            raise web.HTTPNotFound(
                text=json.dumps(
                    {"error": {"code": "not_found", "message": f"there is no task {request.match_info['id']}"}}
                ),
                content_type="application/json",
            )
        return view

    async def _list(self, request: web.Request) -> web.Response:
        tasks = [
            {key: value for key, value in view.items() if key not in {"payload", "value"}}
            for view in self.tasks.values()
        ]
        start = int(request.query.get("cursor", 0))
        limit = int(request.query["limit"])
        cursor = str(start + limit) if start + limit < len(tasks) else None
        return web.json_response({"tasks": tasks[start : start + limit], "cursor": cursor})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._found(request))

    async def _explain(self, request: web.Request) -> web.Response:
        self._found(request)
        return web.json_response(self.explanation)

    async def _logs(self, request: web.Request) -> web.Response:
        self._found(request)
        return web.json_response(self.logs)

    async def _attempts(self, request: web.Request) -> web.Response:
        self._found(request)
        if self.attempts is None:
            return refusal(404, "not_found", f"there is no route {request.path}")
        return web.json_response({"attempts": self.attempts})

    async def _errors(self, request: web.Request) -> web.Response:
        return web.json_response({"groups": self.groups[: int(request.query["limit"])]})

    async def _audit(self, request: web.Request) -> web.Response:
        return web.json_response({"entries": self.lines[: int(request.query["limit"])], "cursor": None})

    async def _act(self, request: web.Request) -> web.Response:
        view = self._found(request)
        final = view["state"] in {"succeeded", "failed", "cancelled", "expired", "lost"}
        if request.match_info["act"] == "retry":
            if not final or view["state"] == "succeeded":
                return refusal(409, "conflict", f"task {view['id']} is {view['state']}", "only failed, lost, … tasks")
            view["state"] = "queued"
        elif not final:
            view["state"] = "cancelled"
        return web.json_response(view)

    async def _bulk(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        self.changes.append(asked)
        if asked["filter"].startswith("stat="):
            remedy = "did you mean state? there are: state"
            error = {"code": "invalid_query", "message": "there is no field stat", "remedy": remedy}
            return web.json_response({"error": {**error, "where": "filter, character 1"}}, status=400)
        start = int(asked["cursor"] or 0)
        if asked["filter"] == "breaks" and start:
            return refusal(503, "degraded", "no space for the database")
        met = list(self.tasks.values())[start : start + 2]
        changed = 0
        for view in met if not asked["count_only"] else ():
            if view["state"] != "cancelled":
                view["state"] = {"cancel": "cancelled", "retry": "queued"}[asked["action"]]
                changed += 1
        cursor = str(start + 2) if start + 2 < len(self.tasks) else None
        answer = {"matched": len(met), "changed": changed, "more": cursor is not None, "cursor": cursor}
        return web.json_response(answer)

    async def _nodes(self, request: web.Request) -> web.Response:
        return web.json_response({"nodes": list(self.nodes.values())})

    async def _node(self, request: web.Request) -> web.Response:
        node = self.nodes.get(request.match_info["id"])
        if node is None:
            return refusal(404, "not_found", "there is no such node")
        return web.json_response(node)

    async def _act_on_node(self, request: web.Request) -> web.Response:
        node_id = request.match_info["id"]
        if node_id == "away":
            return refusal(503, "degraded", "no space for the database")
        node = self.nodes.get(node_id)
        if node is None:
            return refusal(
                404, "not_found", f"there is no node '{node_id}'", "GET /v1/nodes lists those that registered"
            )
        match request.match_info["act"]:
            case "cordon":
                node["cordoned"] = True
            case "uncordon":
                node["cordoned"] = False
            case "drain":
                node["state"] = "draining"
            case "disconnect":
                node["state"] = "unreachable"
        return web.json_response(node)

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response({"hub": {"id": "h", "version": "1"}, "last_event_id": 0})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.last_event_ids.append(request.query.get("last_event_id"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._streams.add(stream)
        try:
            await response.write(b'event: hello\ndata: {"id": 0, "hub_id": "h"}\n\n')
            for event in self.events:
                await response.write(_message(event))
            while (message := await stream.get()) is not None:
                await response.write(message)
        finally:
            self._streams.discard(stream)
        return response


def _message(event: dict[str, Any]) -> bytes:
    number = f"id: {event['id']}\n" if "id" in event else ""
    return f"{number}data: {json.dumps(event)}\n\n".encode()


def run(hub: CliHub, *arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run a command against this hub."""
    return CliRunner().invoke(cli, list(arguments), env={"MOORLINE_URL": hub.url}, input=stdin)


def on_a_terminal(hub: CliHub, question: str, answer: str, *arguments: str) -> tuple[str, int]:
    """Run the command on a pseudo-terminal and answer its question; give what it printed, and its status."""
    command = (sys.executable, "-m", "moorline.cli", *arguments)
    with on_terminal(*command, environment={"MOORLINE_URL": hub.url}) as terminal:
        terminal.wait_for(question)
        terminal.press(answer)
        status = terminal.wait()
        return terminal.text, status


def task(task_id: str, state: str = "queued", **more: object) -> dict[str, object]:
    return {"id": task_id, "name": "add", "state": state, "attempt": 0, "submitted_at": 1700000000.0, **more}


def node(node_id: str, **more: object) -> dict[str, object]:
    return {
        "id": node_id, "state": "online", "cordoned": False, "labels": {"site": "berlin"}, "slots": 8,
        "slots_in_use": 2, "handlers": ["add", "boom"], "version": "1", "first_seen_at": 1.0, "last_seen_at": 2.0,
        "connects": 1, "disconnects": 1, "last_disconnect": {"at": 3.0, "reason": "ping timeout"},
        "totals": {"succeeded": 5, "failed": 1, "run_s": 2.5}, "round_trip_ms": 1.25, "load": 0.5, "outbox": 3, **more,
    }  # fmt: skip
