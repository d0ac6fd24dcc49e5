"""The door for nodes: who is let in, what is refused unparsed, and what a connection can do to the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from hub import gateway
from hub.clock import Clock
from hub.decisions.admission import Admission
from hub.gateway import FRAMES_WAITING_MAX, Gateway
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.codec import encode, encode_messages, hub_frames_decoder
from protocol.errors import OutOfTurnError
from protocol.frames import NodeFrame
from protocol.limits import FRAME_BYTES_MAX, HUB_INSTANCE_HEADER, MESSAGE_BYTES_MAX, SUBPROTOCOL

WITHIN_S = 10.0


class Grant(Struct, frozen=True):
    token_id: str
    node_id: str | None = None


class Recorder:
    """Stands where the service stands: notes what the gateway tells, and can refuse frames."""

    def __init__(self) -> None:
        self.opened: list[tuple[int, str | None]] = []
        self.messages: list[tuple[int, list[NodeFrame]]] = []
        self.closed: dict[int, str] = {}
        self.marks: list[int] = []
        self.refuse: Exception | None = None
        self.happened = asyncio.Event()

    def node_opened(self, connection: int, allowed_node: str | None) -> None:
        self.opened.append((connection, allowed_node))
        self.happened.set()

    def node_frames(self, connection: int, message: Sequence[NodeFrame]) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.messages.append((connection, list(message)))
        self.happened.set()

    def mark_left(self, connection: int) -> None:
        self.marks.append(connection)
        self.happened.set()

    def node_closed(self, connection: int, reason: str) -> None:
        self.closed[connection] = reason
        self.happened.set()

    async def until(self, fact: Any) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not fact():
                self.happened.clear()
                await self.happened.wait()


class Door:
    """A gateway on a port of its own and clients that knock."""

    def __init__(self, **settings: Any) -> None:
        self.recorder = Recorder()
        self.tokens: dict[str, Grant] = {}
        values: dict[str, Any] = {
            "connections_max": 100,
            "connections_per_address_max": 100,
            "silent_after_s": 30.0,
            "rate": 1000.0,
        } | settings
        self.gateway = Gateway(
            self.recorder,
            needs_token=lambda: bool(self.tokens),
            check_token=self._check,
            admission=Admission(values.pop("rate")),
            clock=Clock(),
            **values,
        )

    def _check(self, secret: str) -> Grant | None:
        if secret == "reader":
            raise PermissionError("this token has the role read; a node needs one with the role node")
        return self.tokens.get(secret)

    async def knock(self, path: str = "/v1/node", **more: Any) -> ClientConnection:
        values: dict[str, Any] = {"subprotocols": [SUBPROTOCOL], "compression": None, "proxy": None} | more
        return await connect(f"ws://127.0.0.1:{self.gateway.port}{path}", **values)

    async def refused(self, path: str = "/v1/node", **more: Any) -> tuple[int, str, Headers]:
        with pytest.raises(InvalidStatus) as caught:
            await self.knock(path, **more)
        response = caught.value.response
        return response.status_code, response.body.decode(), response.headers


@contextlib.asynccontextmanager
async def a_door(**settings: Any) -> AsyncIterator[Door]:
    door = Door(**settings)
    await door.gateway.start("127.0.0.1", 0, None)
    try:
        yield door
    finally:
        await door.gateway.stop()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as door:
        yield door


async def closing(socket: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(WITHIN_S):
        await socket.wait_closed()
    return socket.close_code or 0, socket.close_reason or ""


async def test_every_handshake_says_which_process_of_the_hub_it_leads_to(door: Door) -> None:
    async with a_door() as other:
        sockets = [await door.knock(), await door.knock(), await other.knock()]
        instances = [socket.response.headers[HUB_INSTANCE_HEADER] for socket in sockets if socket.response is not None]
    assert instances[0] == instances[1] != instances[2]


async def test_frames_travel_both_ways_and_many_in_one_message(door: Door) -> None:
    socket = await door.knock()
    await socket.send(encode(frames.Bye()) + b"\n" + encode(frames.Drain()), text=True)
    await door.recorder.until(lambda: door.recorder.messages)
    assert door.recorder.messages == [(1, [frames.Bye(), frames.Drain()])]
    door.gateway.send(1, [frames.HeartbeatAck(sequence=1)])
    door.gateway.send(1, [frames.HeartbeatAck(sequence=2), frames.Ack(attempts=[("t", 1)])])
    got = hub_frames_decoder().decode(await socket.recv(decode=False))
    assert got == [
        frames.HeartbeatAck(sequence=1),
        frames.HeartbeatAck(sequence=2),
        frames.Ack(attempts=[("t", 1)]),
    ]
    assert door.gateway.messages_sent == 1
    await socket.close(1000, "done")
    await door.recorder.until(lambda: door.recorder.closed)
    assert door.recorder.closed == {1: "closed by the node with 1000: done"}
    assert door.gateway.connections == 0


@pytest.mark.parametrize(
    ("path", "more", "status", "text"),
    [
        ("/other", {}, 404, "nodes connect to /v1/node"),
        ("/v1/node", {"origin": "https://evil.example"}, 403, "browsers cannot be nodes"),
        ("/v1/node", {"subprotocols": ["moorline.v9"]}, 426, "the node offered moorline.v9: upgrade"),
        ("/v1/node", {"subprotocols": None}, 426, "offered none"),
    ],
)
async def test_who_does_not_speak_our_protocol_is_told_so(
    door: Door, path: str, more: dict[str, Any], status: int, text: str
) -> None:
    code, body, _ = await door.refused(path, **more)
    assert code == status
    assert text in body
    assert door.recorder.opened == []


async def test_a_token_is_needed_where_there_are_tokens(door: Door) -> None:
    door.tokens["good"] = Grant("t1", "n")
    code, body, headers = await door.refused()
    assert (code, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "moorline token create --role node" in body
    code, body, _ = await door.refused(additional_headers={"Authorization": "Bearer bad"})
    assert (code, "unknown, revoked or expired" in body) == (401, True)
    code, body, _ = await door.refused(additional_headers={"Authorization": "Bearer reader"})
    assert (code, "role read" in body) == (403, True)
    await door.knock(additional_headers={"Authorization": "Bearer good"})
    await door.recorder.until(lambda: door.recorder.opened)
    assert door.recorder.opened == [(1, "n")]


async def test_a_revoked_token_closes_its_connections_and_no_others(door: Door) -> None:
    door.tokens |= {"one": Grant("t1"), "two": Grant("t2")}
    sockets = [await door.knock(additional_headers={"Authorization": f"Bearer {secret}"}) for secret in door.tokens]
    await door.recorder.until(lambda: len(door.recorder.opened) == 2)
    count = door.gateway.close_where(
        lambda grant: grant is not None and grant.token_id == "t1", CloseCode.UNAUTHORIZED, "revoked"
    )
    assert count == 1
    assert await closing(sockets[0]) == (4003, "revoked")
    door.gateway.send(2, [frames.HeartbeatAck(sequence=1)])
    assert await sockets[1].recv()


async def test_past_the_rate_the_answer_is_503_with_a_time_to_come_back() -> None:
    async with a_door(rate=0.5) as door:
        await door.knock()
        code, body, headers = await door.refused()
        assert (code, "come back" in body) == (503, True)
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert door.gateway.refusals["admission"] == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"connections_max": 1}, "connections"), ({"connections_per_address_max": 1}, "address")],
)
async def test_connections_are_bounded_and_a_closed_one_makes_room(settings: dict[str, int], reason: str) -> None:
    async with a_door(**settings) as door:
        first = await door.knock()
        code, _, headers = await door.refused()
        assert (code, headers["Retry-After"], door.gateway.refusals[reason]) == (503, "30", 1)
        await first.close()
        await door.recorder.until(lambda: door.recorder.closed)
        await door.knock()


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
    door: Door, message: bytes, code: int, reason: str
) -> None:
    good, bad = await door.knock(), await door.knock()
    await bad.send(message, text=True)
    got, why = await closing(bad)
    assert got == code
    assert reason in why
    await door.recorder.until(lambda: 2 in door.recorder.closed)
    assert door.recorder.messages == []
    door.gateway.send(1, [frames.HeartbeatAck(sequence=1)])
    assert await good.recv()


async def test_a_frame_out_of_turn_ends_its_connection(door: Door) -> None:
    door.recorder.refuse = OutOfTurnError("bye", "`register`")
    socket = await door.knock()
    await socket.send(encode(frames.Bye()), text=True)
    assert await closing(socket) == (4002, "frame `bye` came out of turn; expected `register`")


async def test_a_node_that_does_not_read_is_cut_off_and_its_memory_freed(door: Door) -> None:
    stuck = await door.knock(max_queue=1)
    await door.recorder.until(lambda: door.recorder.opened)
    stuck.transport.pause_reading()
    filler = [frames.UnknownSession(session_id="x" * 100) for _ in range(FRAMES_WAITING_MAX // 4)]
    for _ in range(40):
        door.gateway.send(1, filler)
        # Let the writer fill the socket's buffers.
        await asyncio.sleep(0)
        if door.gateway._peers[1].close is not None:
            break
    peer = door.gateway._peers[1]
    assert peer.close == (CloseCode.TOO_SLOW, "too slow: it does not read what it is sent")
    assert len(peer.waiting) == 0
    door.gateway.send(1, filler)
    assert len(peer.waiting) == 0
    stuck.transport.abort()
    await door.recorder.until(lambda: door.recorder.closed)


async def test_a_node_that_pings_and_reads_no_pong_is_dropped(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel takes some megabytes before anything waits here; that is enough to answer.
    monkeypatch.setattr(gateway, "UNREAD_BYTES_MAX", 64 * 1024)
    stuck = await door.knock()
    await door.recorder.until(lambda: door.recorder.opened)
    stuck.transport.pause_reading()
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
    async with asyncio.timeout(3 * WITHIN_S):
        while not door.recorder.closed:
            if stuck.transport.get_write_buffer_size() < len(pings):
                stuck.transport.write(pings)
            await asyncio.sleep(0)
    assert door.recorder.closed == {1: "the connection broke"}
    stuck.transport.abort()


async def test_a_close_does_not_wait_for_a_node_that_does_not_read(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "CLOSE_TIMEOUT_S", 0.1)
    stuck = await door.knock(max_queue=1)
    await door.recorder.until(lambda: door.recorder.opened)
    stuck.transport.pause_reading()
    door.gateway.send(1, [frames.UnknownSession(session_id="x" * 100)] * (FRAMES_WAITING_MAX // 2))
    # Once the writer is in the middle of it.
    await asyncio.sleep(0)
    door.gateway.close(1, CloseCode.TOO_SLOW, "silent")
    await door.recorder.until(lambda: door.recorder.closed)
    assert "silent" in door.recorder.closed[1]
    stuck.transport.abort()


async def test_what_is_sent_to_a_connection_that_is_gone_is_dropped(door: Door) -> None:
    socket = await door.knock()
    await socket.close()
    await door.recorder.until(lambda: door.recorder.closed)
    door.gateway.send(1, [frames.HeartbeatAck(sequence=1)])
    door.gateway.close(1, CloseCode.NORMAL, "bye")
    assert door.gateway.connections == 0


async def test_a_mark_comes_back_when_what_was_to_be_sent_before_it_has_left(door: Door) -> None:
    socket = await door.knock(max_queue=1)
    await door.recorder.until(lambda: door.recorder.opened)
    # Behind nothing.
    door.gateway.mark(1)
    await door.recorder.until(lambda: door.recorder.marks)
    socket.transport.pause_reading()
    filler = [frames.UnknownSession(session_id="x" * 1000) for _ in range(FRAMES_WAITING_MAX - 10)]
    door.gateway.send(1, filler)
    door.gateway.mark(1)
    # Once the writer is in the middle of it; what is said now is behind the mark.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    door.gateway.send(1, [frames.HeartbeatAck(sequence=1)])
    assert door.gateway._peers[1].waiting
    assert len(door.recorder.marks) == 1
    socket.transport.resume_reading()
    got = 0
    while got <= len(filler):
        got += (await socket.recv(decode=False)).count(b"\n") + 1
    await door.recorder.until(lambda: len(door.recorder.marks) == 2)
    assert door.recorder.marks == [1, 1]


async def test_a_mark_of_a_connection_that_is_gone_does_not_come_back(door: Door) -> None:
    door.gateway.mark(1)
    stuck = await door.knock(max_queue=1)
    await door.recorder.until(lambda: door.recorder.opened)
    stuck.transport.pause_reading()
    door.gateway.send(1, [frames.UnknownSession(session_id="x" * 1000)] * (FRAMES_WAITING_MAX - 10))
    door.gateway.mark(1)
    await asyncio.sleep(0)
    stuck.transport.abort()
    await door.recorder.until(lambda: door.recorder.closed)
    door.gateway.mark(1)
    assert door.recorder.marks == []


async def test_a_close_comes_after_what_was_to_be_sent(door: Door) -> None:
    socket = await door.knock()
    await door.recorder.until(lambda: door.recorder.opened)
    door.gateway.send(1, [frames.UnknownSession(session_id="s")])
    door.gateway.close(1, CloseCode.UNKNOWN_SESSION, "register again")
    assert hub_frames_decoder().decode(await socket.recv(decode=False)) == [frames.UnknownSession(session_id="s")]
    assert await closing(socket) == (4004, "register again")


async def test_a_gateway_that_stops_refuses_newcomers_and_closes_with_1012() -> None:
    async with a_door() as door:
        socket = await door.knock()
        await door.recorder.until(lambda: door.recorder.opened)
        door.gateway.refuse_newcomers()
        code, _, headers = await door.refused()
        assert (code, headers["Retry-After"]) == (503, "1")
        await door.gateway.stop()
        assert (await closing(socket))[0] == 1012
        await door.gateway.stop()


async def test_sockets_that_say_nothing_do_not_keep_a_good_node_out(door: Door) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", door.gateway.port) for _ in range(300)]
    try:
        async with asyncio.timeout(WITHIN_S):
            socket = await door.knock()
        await socket.send(next(encode_messages([frames.Bye()])), text=True)
        await door.recorder.until(lambda: door.recorder.messages)
    finally:
        for _, writer in silent:
            writer.transport.abort()
