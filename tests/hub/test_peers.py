"""What waits to be sent to nodes, and how it leaves: with real sockets, some of which nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.frames import Frame, Opcode

from hub import peers
from hub.peers import FRAMES_WAITING_MAX
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.codec import hub_frames_decoder
from tests.hub.entrance import WITHIN_S, Entrance, Grant, an_entrance, closing


@pytest.fixture
async def entrance() -> AsyncIterator[Entrance]:
    async with an_entrance() as entrance:
        yield entrance


async def test_a_revoked_token_closes_its_connections_and_no_others(entrance: Entrance) -> None:
    entrance.tokens |= {"one": Grant("t1"), "two": Grant("t2")}
    sockets = [
        await entrance.knock(additional_headers={"Authorization": f"Bearer {secret}"}) for secret in entrance.tokens
    ]
    await entrance.recorder.until(lambda: len(entrance.recorder.opened) == 2)
    count = entrance.peers.close_where(
        lambda grant: grant is not None and grant.token_id == "t1", CloseCode.UNAUTHORIZED, "revoked"
    )
    assert count == 1
    assert await closing(sockets[0]) == (4003, "revoked")
    entrance.peers.send(2, [frames.HeartbeatAck(sequence=1)])
    assert await sockets[1].recv()


async def test_a_node_that_does_not_read_is_cut_off_and_its_memory_freed(entrance: Entrance) -> None:
    stuck = await entrance.knock(max_queue=1)
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    stuck.transport.pause_reading()
    filler = [frames.UnknownSession(session_id="x" * 100) for _ in range(FRAMES_WAITING_MAX // 4)]
    for _ in range(40):
        entrance.peers.send(1, filler)
        # Let the writer fill the socket's buffers.
        await asyncio.sleep(0)
        if entrance.peers._peers[1].close is not None:
            break
    peer = entrance.peers._peers[1]
    assert peer.close == (CloseCode.TOO_SLOW, "too slow: it does not read what it is sent")
    assert len(peer.waiting) == 0
    entrance.peers.send(1, filler)
    assert len(peer.waiting) == 0
    stuck.transport.abort()
    await entrance.recorder.until(lambda: entrance.recorder.closed)


async def test_a_node_that_pings_and_reads_no_pong_is_dropped(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel takes some megabytes before anything waits here; that is enough to answer.
    monkeypatch.setattr(peers, "UNREAD_BYTES_MAX", 64 * 1024)
    stuck = await entrance.knock()
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    stuck.transport.pause_reading()
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
    async with asyncio.timeout(3 * WITHIN_S):
        while not entrance.recorder.closed:
            if stuck.transport.get_write_buffer_size() < len(pings):
                stuck.transport.write(pings)
            await asyncio.sleep(0)
    assert entrance.recorder.closed == {1: "the connection broke"}
    stuck.transport.abort()


async def test_a_close_does_not_wait_for_a_node_that_does_not_read(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "CLOSE_TIMEOUT_S", 0.1)
    stuck = await entrance.knock(max_queue=1)
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    stuck.transport.pause_reading()
    entrance.peers.send(1, [frames.UnknownSession(session_id="x" * 100)] * (FRAMES_WAITING_MAX // 2))
    # Once the writer is in the middle of it.
    await asyncio.sleep(0)
    entrance.peers.close(1, CloseCode.TOO_SLOW, "silent")
    await entrance.recorder.until(lambda: entrance.recorder.closed)
    assert "silent" in entrance.recorder.closed[1]
    stuck.transport.abort()


async def test_what_is_sent_to_a_connection_that_is_gone_is_dropped(entrance: Entrance) -> None:
    socket = await entrance.knock()
    await socket.close()
    await entrance.recorder.until(lambda: entrance.recorder.closed)
    entrance.peers.send(1, [frames.HeartbeatAck(sequence=1)])
    entrance.peers.close(1, CloseCode.NORMAL, "bye")
    assert len(entrance.peers) == 0


async def test_a_mark_comes_back_when_what_was_to_be_sent_before_it_has_left(entrance: Entrance) -> None:
    socket = await entrance.knock(max_queue=1)
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    # Behind nothing.
    entrance.peers.mark(1)
    await entrance.recorder.until(lambda: entrance.recorder.marks)
    socket.transport.pause_reading()
    filler = [frames.UnknownSession(session_id="x" * 1000) for _ in range(FRAMES_WAITING_MAX - 10)]
    entrance.peers.send(1, filler)
    entrance.peers.mark(1)
    # Once the writer is in the middle of it; what is said now is behind the mark.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    entrance.peers.send(1, [frames.HeartbeatAck(sequence=1)])
    assert entrance.peers._peers[1].waiting
    assert len(entrance.recorder.marks) == 1
    socket.transport.resume_reading()
    got = 0
    while got <= len(filler):
        got += (await socket.recv(decode=False)).count(b"\n") + 1
    await entrance.recorder.until(lambda: len(entrance.recorder.marks) == 2)
    assert entrance.recorder.marks == [1, 1]


async def test_a_mark_of_a_connection_that_is_gone_does_not_come_back(entrance: Entrance) -> None:
    entrance.peers.mark(1)
    stuck = await entrance.knock(max_queue=1)
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    stuck.transport.pause_reading()
    entrance.peers.send(1, [frames.UnknownSession(session_id="x" * 1000)] * (FRAMES_WAITING_MAX - 10))
    entrance.peers.mark(1)
    await asyncio.sleep(0)
    stuck.transport.abort()
    await entrance.recorder.until(lambda: entrance.recorder.closed)
    entrance.peers.mark(1)
    assert entrance.recorder.marks == []


async def test_a_close_comes_after_what_was_to_be_sent(entrance: Entrance) -> None:
    socket = await entrance.knock()
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    entrance.peers.send(1, [frames.UnknownSession(session_id="s")])
    entrance.peers.close(1, CloseCode.UNKNOWN_SESSION, "register again")
    assert hub_frames_decoder().decode(await socket.recv(decode=False)) == [frames.UnknownSession(session_id="s")]
    assert await closing(socket) == (4004, "register again")
