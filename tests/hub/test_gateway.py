"""The connections of nodes: what comes in, and what one of them can do to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from protocol import frames
from protocol.codec import encode, encode_messages, hub_frames_decoder
from protocol.errors import OutOfTurnError
from protocol.limits import FRAME_BYTES_MAX, HUB_INSTANCE_HEADER, MESSAGE_BYTES_MAX
from tests.hub.entrance import WITHIN_S, Entrance, an_entrance, closing


@pytest.fixture
async def entrance() -> AsyncIterator[Entrance]:
    async with an_entrance() as entrance:
        yield entrance


async def test_every_handshake_says_which_process_of_the_hub_it_leads_to(entrance: Entrance) -> None:
    async with an_entrance() as other:
        sockets = [await entrance.knock(), await entrance.knock(), await other.knock()]
        instances = [socket.response.headers[HUB_INSTANCE_HEADER] for socket in sockets if socket.response is not None]
    assert instances[0] == instances[1] != instances[2]


async def test_frames_travel_both_ways_and_many_in_one_message(entrance: Entrance) -> None:
    socket = await entrance.knock()
    await socket.send(encode(frames.Bye()) + b"\n" + encode(frames.Drain()), text=True)
    await entrance.recorder.until(lambda: entrance.recorder.messages)
    assert entrance.recorder.messages == [(1, [frames.Bye(), frames.Drain()])]
    entrance.peers.send(1, [frames.HeartbeatAck(sequence=1)])
    entrance.peers.send(1, [frames.HeartbeatAck(sequence=2), frames.Ack(attempts=[("t", 1)])])
    got = hub_frames_decoder().decode(await socket.recv(decode=False))
    assert got == [
        frames.HeartbeatAck(sequence=1),
        frames.HeartbeatAck(sequence=2),
        frames.Ack(attempts=[("t", 1)]),
    ]
    assert entrance.peers.messages_sent == 1
    await socket.close(1000, "done")
    await entrance.recorder.until(lambda: entrance.recorder.closed)
    assert entrance.recorder.closed == {1: "closed by the node with 1000: done"}
    assert len(entrance.peers) == 0


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (b"nonsense", 4002, "not a frame"),
        (b'{"type":"dance"}', 4002, "`dance` is not known"),
        (b'{"type":"heartbeat","sequence":"x"}', 4002, "heartbeat"),
        (b"[" * 100_000, 4002, "not a frame"),
        (b'{"type":"bye","x":"' + b"y" * FRAME_BYTES_MAX + b'"}', 1009, "at most"),
        (b" " * (MESSAGE_BYTES_MAX + 1), 1009, ""),
    ],
)
async def test_a_hostile_message_ends_its_connection_and_no_other(
    entrance: Entrance, message: bytes, code: int, reason: str
) -> None:
    good, bad = await entrance.knock(), await entrance.knock()
    await bad.send(message, text=True)
    got, why = await closing(bad)
    assert got == code
    assert reason in why
    await entrance.recorder.until(lambda: 2 in entrance.recorder.closed)
    assert entrance.recorder.messages == []
    entrance.peers.send(1, [frames.HeartbeatAck(sequence=1)])
    assert await good.recv()


async def test_a_frame_out_of_turn_ends_its_connection(entrance: Entrance) -> None:
    entrance.recorder.refuse = OutOfTurnError("bye", "`register`")
    socket = await entrance.knock()
    await socket.send(encode(frames.Bye()), text=True)
    assert await closing(socket) == (4002, "frame `bye` came out of turn; expected `register`")


async def test_a_gateway_that_stops_refuses_newcomers_and_closes_with_1012() -> None:
    async with an_entrance() as entrance:
        socket = await entrance.knock()
        await entrance.recorder.until(lambda: entrance.recorder.opened)
        entrance.door.close()
        code, _, headers = await entrance.refused()
        assert (code, headers["Retry-After"]) == (503, "1")
        await entrance.gateway.stop()
        assert (await closing(socket))[0] == 1012
        await entrance.gateway.stop()


async def test_sockets_that_say_nothing_do_not_keep_a_good_node_out(entrance: Entrance) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", entrance.gateway.port) for _ in range(300)]
    try:
        async with asyncio.timeout(WITHIN_S):
            socket = await entrance.knock()
        await socket.send(next(encode_messages([frames.Bye()])), text=True)
        await entrance.recorder.until(lambda: entrance.recorder.messages)
    finally:
        for _, writer in silent:
            writer.transport.abort()
