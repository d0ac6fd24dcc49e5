from __future__ import annotations

import asyncio
import logging
import socket

import aiohttp
import pytest
from aiohttp import web

from hub.http import answers, application
from hub.http.openapi import ALL_ROUTES
from tests.hub.http.hub_under_test import JSON, NDJSON, HubUnderTest


async def error_of(answer: aiohttp.ClientResponse) -> str:
    assert answer.content_type == "application/json"
    body = await answer.json()
    assert set(body) == {"error"}
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "remedy", "where"}
    code: str = body["error"]["code"]
    return code


async def test_every_answer_forbids_guessing_and_keeping(hub: HubUnderTest) -> None:
    for path in ("/v1/stats", "/nothing", "/livez", "/openapi.json", "/v1/tasks/none"):
        async with hub.client.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Server"] == "moorline"


@pytest.mark.parametrize("path", ["/v1", "/v1/task", "/v1/tasks/", "/v1/tasks/a/b", "/metrics/x", "/%00", "/é"])
async def test_an_unknown_route_has_the_shape_of_every_error(hub: HubUnderTest, path: str) -> None:
    async with hub.client.get(path) as answer:
        assert (answer.status, await error_of(answer)) == (404, "not_found")


async def test_a_method_that_a_route_does_not_take_is_named_with_those_it_takes(hub: HubUnderTest) -> None:
    async with hub.client.delete("/v1/tasks") as answer:
        assert (answer.status, await error_of(answer)) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {**JSON, "Content-Encoding": "gzip"},
        {**NDJSON, "Content-Encoding": "br"},
    ],
)
async def test_a_body_of_another_type_is_refused(hub: HubUnderTest, headers: dict[str, str]) -> None:
    async with hub.client.post("/v1/tasks", data=b'{"name":"a"}', headers=headers) as answer:
        assert (answer.status, await error_of(answer)) == (415, "unsupported_media_type")
    if headers.get("Content-Type") == "application/x-ndjson":
        return
    async with hub.client.post("/v1/broadcasts", data=b'{"name":"a"}', headers=headers) as answer:
        assert answer.status == 415


async def test_a_type_may_name_its_character_set(hub: HubUnderTest) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    async with hub.client.post("/v1/tasks", data=b'{"name":"a"}', headers=headers) as answer:
        assert answer.status == 201


async def test_a_bug_is_500_with_a_number_that_stands_in_the_log(
    hub: HubUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    hub.backend.read_error = ZeroDivisionError("a bug")
    with caplog.at_level(logging.ERROR):
        async with hub.client.get("/v1/stats") as answer:
            assert (answer.status, await error_of(answer)) == (500, "internal")
            message = (await answer.json())["error"]["message"]
    number = message.rsplit(" ", 1)[1]
    assert number in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text
    assert "ZeroDivisionError" not in message


async def test_requests_past_the_limit_are_turned_away(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "REQUESTS_MAX", 1)
    async with hub.client.get("/v1/events") as stream:
        await stream.content.readuntil(b"\n\n")
        async with hub.client.get("/livez") as answer:
            assert (answer.status, await error_of(answer)) == (429, "too_many_connections")
            assert answer.headers["Retry-After"] == "1"


class _Refused(web.HTTPException):
    status_code = 431


class _Broken(web.HTTPException):
    status_code = 502


@pytest.mark.parametrize(
    ("raised", "status", "code"), [(_Refused, 400, "malformed_request"), (_Broken, 500, "internal")]
)
async def test_a_refusal_of_the_server_below_has_our_shape(
    hub: HubUnderTest, raised: type[web.HTTPException], status: int, code: str
) -> None:
    hub.backend.read_error = raised()
    async with hub.client.get("/v1/stats") as answer:
        assert (answer.status, await error_of(answer)) == (status, code)


async def test_every_route_of_the_table_is_served_and_beside_it_the_page_alone(hub: HubUnderTest) -> None:
    served = {
        (route.method, resource.canonical)
        for resource in hub.application.router.resources()
        if resource.canonical not in {"/", "/static/{folder}/{name}"}
        for route in resource
    }
    assert {(route.method, route.path) for route in ALL_ROUTES} == served
    assert len(ALL_ROUTES) == len({route.name for route in ALL_ROUTES})


async def test_who_does_not_read_an_answer_is_cut_off(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SEND_WITHIN_S", 0.05)
    task_id = await hub.submit(payload={"x": "y" * 250_000})
    loop = asyncio.get_running_loop()
    with socket.socket() as deaf:
        deaf.setblocking(False)
        # The smallest window there is, and more answers than the buffers on the way take.
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(deaf, ("127.0.0.1", hub.server.port))
        question = f"GET /v1/tasks/{task_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        await loop.sock_sendall(deaf, question.encode() * 50)
        async with asyncio.timeout(20):
            while await hub_has_another_connection(hub):
                await asyncio.sleep(0.02)
    assert (await hub.get("/livez"))[0] == 200


async def hub_has_another_connection(hub: HubUnderTest) -> bool:
    """Tell whether there is one beside the test's own."""
    server = hub.server._runner.server
    assert server is not None
    return len(server.connections) > 1
