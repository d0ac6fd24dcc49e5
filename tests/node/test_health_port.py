from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from node import health_port
from node.errors import SettingsError
from node.health_port import CONNECTIONS_MAX, REQUEST_BYTES_MAX, HealthPort
from tests.node.healths import Node

WITHIN_S = 10.0


class Open:
    """A port that is open, and the node behind it."""

    def __init__(self) -> None:
        self.node = Node()
        self.port = HealthPort("127.0.0.1", 0, self.node.look)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port.port)

    async def say(self, text: bytes) -> bytes:
        """Send bytes; give all that comes back."""
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await self.connect()
            answer = b""
            with contextlib.suppress(ConnectionError):
                writer.write(text)
                await writer.drain()
                answer = await reader.read()
            writer.close()
            return answer

    async def get(self, path: str, method: str = "GET") -> tuple[int, Any]:
        answer = await self.say(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head or method == "HEAD"
        return int(head.split()[1]), json.loads(body) if body else None


@pytest.fixture
async def open_port() -> AsyncIterator[Open]:
    opened = Open()
    await opened.port.start()
    yield opened
    await opened.port.stop()
    await opened.port.stop()


async def test_a_node_that_is_connected_is_live_and_ready(open_port: Open) -> None:
    assert await open_port.get("/livez") == (200, {"ready": True, "reasons": []})
    status, body = await open_port.get("/readyz?verbose=1")
    assert (status, body["ready"], body["connected"], body["session_id"]) == (200, True, True, "s")


async def test_a_node_that_drains_lives_and_is_not_ready(open_port: Open) -> None:
    open_port.node.draining = True
    assert (await open_port.get("/livez"))[0] == 200
    status, body = await open_port.get("/readyz")
    assert (status, body["reasons"]) == (503, ["the node drains"])
    assert (await open_port.get("/health"))[0] == 200


async def test_a_node_that_starts_says_so(open_port: Open) -> None:
    open_port.node.is_starting = True
    assert await open_port.get("/readyz") == (503, {"ready": False, "reasons": ["the node starts"]})


async def test_whoever_asks_for_the_head_gets_it_alone(open_port: Open) -> None:
    assert await open_port.get("/readyz", "HEAD") == (200, None)


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/metrics", "GET", 404), ("/livez", "PUT", 405)]
)
async def test_there_is_nothing_else(open_port: Open, path: str, method: str, status: int) -> None:
    assert (await open_port.get(path, method))[0] == status


@pytest.mark.parametrize("text", [b"\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n"])
async def test_what_is_no_request_is_answered_like_one(open_port: Open, text: bytes) -> None:
    assert (await open_port.say(text)).split()[1] in {b"404", b"405"}


async def test_a_request_without_an_end_is_dropped(open_port: Open) -> None:
    assert await open_port.say(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 2 * REQUEST_BYTES_MAX) == b""
    assert (await open_port.get("/livez"))[0] == 200


async def test_who_drips_is_dropped(open_port: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_port, "REQUEST_WITHIN_S", 0.05)
    assert await open_port.say(b"GET /livez") == b""


async def test_connections_past_the_limit_are_dropped_and_room_is_made_again(open_port: Open) -> None:
    crowd = [await open_port.connect() for _ in range(CONNECTIONS_MAX)]
    async with asyncio.timeout(WITHIN_S):
        while len(open_port.port._writers) < CONNECTIONS_MAX:
            await asyncio.sleep(0)
    assert await open_port.say(b"GET /livez HTTP/1.1\r\n\r\n") == b""
    for _, writer in crowd:
        writer.close()
    async with asyncio.timeout(WITHIN_S):
        while open_port.port._writers:
            await asyncio.sleep(0.005)
    assert (await open_port.get("/livez"))[0] == 200


async def test_a_port_that_is_taken_is_named(open_port: Open) -> None:
    with pytest.raises(SettingsError, match=f"health port is '127.0.0.1:{open_port.port.port}'"):
        await HealthPort("127.0.0.1", open_port.port.port, Node().look).start()


async def test_a_port_is_closed_in_the_middle_of_a_request() -> None:
    opened = Open()
    await opened.port.start()
    reader, writer = await opened.connect()
    async with asyncio.timeout(WITHIN_S):
        while not opened.port._writers:
            await asyncio.sleep(0)
        await opened.port.stop()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    with pytest.raises(RuntimeError):
        _ = opened.port.port


@pytest.mark.parametrize("turns", range(6))
async def test_stopping_drops_who_has_just_come_at_whatever_turn_of_the_loop(turns: int) -> None:
    opened = Open()
    await opened.port.start()
    with socket.create_connection(("127.0.0.1", opened.port.port), WITHIN_S) as client:
        for _ in range(turns):
            await asyncio.sleep(0)
        await opened.port.stop()
        client.setblocking(False)
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionError):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    # A transport that nobody closed speaks up when it is collected, and the test fails.
    gc.collect()
