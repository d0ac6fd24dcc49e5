"""Whoever comes in the very turn of the loop in which a server stops is closed with the others."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from hub.http.server import HttpServer
from tests.hub.entrance import Entrance

# Generous: these machines are shared. Nobody waits this long who is closed.
PATIENCE_S = 40.0

Stop = Callable[[], Awaitable[None]]


async def http_server() -> tuple[int, Stop]:
    server = HttpServer(web.Application())
    await server.start("127.0.0.1", 0)
    return server.port, server.stop


async def gateway() -> tuple[int, Stop]:
    nodes = Entrance().gateway
    await nodes.start("127.0.0.1", 0, None)
    return nodes.port, nodes.stop


async def heard(client: socket.socket) -> bytes:
    """Wait for what comes next, without holding the loop up."""
    client.setblocking(False)
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.get_running_loop().sock_recv(client, 4096)


@pytest.mark.parametrize("start", [http_server, gateway], ids=lambda start: start.__name__)
@pytest.mark.parametrize("turns", range(6))
async def test_stopping_closes_who_has_just_come_at_whatever_turn_of_the_loop(
    start: Callable[[], Awaitable[tuple[int, Stop]]], turns: int
) -> None:
    port, stop = await start()
    clients = [socket.create_connection(("127.0.0.1", port), PATIENCE_S) for _ in range(2)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(turns):
        await asyncio.sleep(0)
    stopping = asyncio.create_task(stop())
    for client in clients:
        # Whoever was taken may have been answered, whoever was not hears a reset; nobody waits for the time out.
        with client, contextlib.suppress(ConnectionError):
            while await heard(client):
                pass
    await stopping
    # A transport that nobody closed speaks up when it is collected, and the test fails.
    gc.collect()
