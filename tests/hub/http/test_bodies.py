from __future__ import annotations

import asyncio
import contextlib

import pytest

from hub.http import bodies
from hub.http.bodies import BATCHES_BYTES_MAX, ROOM_WITHIN_S, Room, cost_bytes
from hub.http.decoding import BATCH_BYTES_MAX
from hub.http.errors import TooManyConnectionsError
from tests.hub.http.hub_under_test import HubUnderTest

HEAD = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def raw(hub: HubUnderTest, *parts: bytes) -> bytes:
    """Send bytes, close our side, and give the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.server.port)
    try:
        writer.write(b"".join(parts))
        return await reader.readuntil(b"}}")
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_never_comes_is_given_up(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.02)
    answer = await raw(hub, HEAD, b"Content-Length: 10\r\n\r\n{")
    assert b" 400 " in answer
    assert b"malformed_request" in answer


async def test_a_body_with_broken_framing_is_refused(hub: HubUnderTest) -> None:
    answer = await raw(hub, HEAD, b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"nam\r\nZZ\r\n')
    assert b" 400 " in answer
    assert b"malformed_request" in answer


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(hub: HubUnderTest) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", hub.server.port)
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await hub.submit()
    assert len((await hub.get("/v1/tasks"))[1]["tasks"]) == 1


async def test_batches_that_drip_do_not_hold_up_a_single_task(hub: HubUnderTest) -> None:
    head = HEAD.replace(b"json", b"x-ndjson") + b"Content-Length: %d\r\n\r\n{" % BATCH_BYTES_MAX
    async with contextlib.AsyncExitStack() as connections:
        # Twice as many as there is room for.
        for _ in range(2 * BATCHES_BYTES_MAX // BATCH_BYTES_MAX):
            _, writer = await asyncio.open_connection("127.0.0.1", hub.server.port)
            connections.callback(writer.close)
            writer.write(head)
            await writer.drain()
        # A round trip: they are all where they will stay.
        await hub.get("/livez")
        async with asyncio.timeout(ROOM_WITHIN_S / 2):
            await hub.submit()


def test_the_cost_of_a_body_is_the_worst_that_it_can_be() -> None:
    assert cost_bytes(100, 1000, 1) == 100 + 700
    assert cost_bytes(130_000, 16_000_000, 10_000) == 130_000 + 700 * 10_000
    assert cost_bytes(None, 1000, 1) == cost_bytes(2000, 1000, 1) == 1700


async def test_room_is_given_first_come_first_served() -> None:
    room = Room(10)
    order: list[str] = []

    async def use(name: str, size: int, until: asyncio.Event) -> None:
        async with room.held(size):
            order.append(name)
            await until.wait()

    first, rest = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(use("a", 8, first))
        await asyncio.sleep(0)
        group.create_task(use("large", 9, rest))
        await asyncio.sleep(0)
        group.create_task(use("small", 1, rest))
        await asyncio.sleep(0)
        assert order == ["a"]
        first.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert order == ["a", "large", "small"]
        rest.set()
    async with room.held(10):
        pass


async def test_what_is_larger_than_all_room_is_let_in_alone() -> None:
    async with Room(10).held(1000):
        pass


async def test_who_finds_no_room_in_time_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "ROOM_WITHIN_S", 0.001)
    room = Room(10)
    async with room.held(10):
        with pytest.raises(TooManyConnectionsError, match="no room"):
            await room.held(1).__aenter__()
        monkeypatch.setattr(bodies, "WAITING_MAX", 0)
        with pytest.raises(TooManyConnectionsError, match="wait for room"):
            await room.held(1).__aenter__()
    async with room.held(10):
        pass


@pytest.mark.parametrize("served_first", [True, False])
async def test_room_is_not_lost_with_a_caller_who_was_cancelled(served_first: bool) -> None:
    room = Room(10)
    held = room.held(10)
    await held.__aenter__()
    waiting = asyncio.create_task(room.held(4).__aenter__())
    behind = asyncio.create_task(room.held(7).__aenter__())
    await asyncio.sleep(0)
    if served_first:
        await held.__aexit__()
        waiting.cancel()
    else:
        waiting.cancel()
        await asyncio.sleep(0)
        await held.__aexit__()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await behind
    async with room.held(3):
        pass
