from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from hub.http import server
from hub.http.server import HttpServer


async def test_connections_past_the_limit_are_told_so_and_closed() -> None:
    limited = HttpServer(web.Application(), connections_max=1)
    await limited.start("127.0.0.1", 0)
    try:
        _, first = await asyncio.open_connection("127.0.0.1", limited.port)
        while not limited._runner.server or not limited._runner.server.connections:
            await asyncio.sleep(0)
        reader, second = await asyncio.open_connection("127.0.0.1", limited.port)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"too_many_connections" in answer
        first.close()
        second.close()
        await first.wait_closed()
        await second.wait_closed()
        while limited._runner.server.connections:
            await asyncio.sleep(0)
        reader, third = await asyncio.open_connection("127.0.0.1", limited.port)
        third.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 404 " in await reader.read()
        third.close()
        await third.wait_closed()
    finally:
        await limited.stop()


async def test_a_connection_that_says_nothing_or_drips_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.05)
    quick = HttpServer(web.Application())
    await quick.start("127.0.0.1", 0)
    try:
        for said in (b"", b"GET / HTTP/1.1\r\nHos"):
            reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
            writer.write(said)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
    finally:
        await quick.stop()


async def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    idle = HttpServer(web.Application())
    await idle.stop()
    await idle.start("127.0.0.1", 0)
    await idle.stop()
    await idle.stop()


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    one, other = HttpServer(web.Application()), HttpServer(web.Application())
    await one.start("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="address already in use"):
            await other.start("127.0.0.1", one.port)
    finally:
        await one.stop()
        await other.stop()


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_our_shape_and_closed(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    strict = HttpServer(web.Application())
    await strict.start("127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
        writer.write(said)
        answer = await reader.read()
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert b'{"error":{"code":"malformed_request"' in answer
        writer.close()
        await writer.wait_closed()
    finally:
        await strict.stop()
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


async def test_a_handler_without_the_application_s_shell_still_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: web.Request) -> web.Response:
        raise ZeroDivisionError

    application = web.Application()
    application.router.add_get("/", broken)
    server_of_it = HttpServer(application)
    await server_of_it.start("127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server_of_it.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b'{"error":{"code":"internal"' in answer
        writer.close()
        await writer.wait_closed()
    finally:
        await server_of_it.stop()
    assert "ZeroDivisionError" in caplog.text
