"""Peers that do not read: what the hub keeps for them is bounded, and the others notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.frames import Frame, Opcode

from moorline import Client
from moorline.handles import TaskHandle
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.bystander import NODE_ID, start_with_good_node, undisturbed
from tests.faults.raw_node import connected, register, registered, succeeded
from tests.faults.waiting import until

MIB = 1024 * 1024

# A payload near the limit of 256 KiB, so that few tasks are much to send.
PAYLOAD = "x" * 200_000
TASKS = 150

# What the allocator and the database's cache take of their own accord.
SLACK_BYTES = 64 * MIB

# For one node: far more than the slack.
FLOOD = 480

READERS = 20
ROUNDS = 2

# Three heartbeats of two seconds, and six that a close may take; before a message as such is too late (30 s).
GIVEN_UP_WITHIN_S = 20.0
DROPPED = "did not leave in time; dropping the connection"


def memory_bytes(fleet: Fleet) -> int:
    """Give what the hub holds of this machine's memory."""
    return int(psutil.Process(fleet.hub.pid).memory_info().rss)


def peak_bytes(fleet: Fleet) -> int:
    """Give the most that the hub has held so far."""
    status = Path(f"/proc/{fleet.hub.pid}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def test_a_stopped_node_is_given_up_and_what_waited_for_it_is_freed(fleet: Fleet) -> None:
    start_with_good_node(fleet)
    slow = fleet.add_node("slow", slots=FLOOD)
    slow.wait_for_line("connected to hub")
    to_slow = app.echo.options(node="slow")
    async with undisturbed(fleet) as bystander:
        client = bystander.client
        # A first round with a node that reads: what was held in it is what work takes, not what waits.
        await run(client, to_slow, FLOOD)
        before_bytes = peak_bytes(fleet)
        for times in range(1, ROUNDS + 1):
            os.kill(slow.pid, signal.SIGSTOP)
            handles = await submit(client, to_slow, FLOOD)
            await until_dropped(fleet, times)
            os.kill(slow.pid, signal.SIGCONT)
            assert [await handle.result(PATIENCE_S) for handle in handles] == [PAYLOAD] * FLOOD
        grown_bytes = peak_bytes(fleet) - before_bytes
        waited_bytes = FLOOD * len(PAYLOAD)
        print(f"{waited_bytes / MIB:.0f} MiB for a stopped node: the hub has grown {grown_bytes / MIB:.0f} MiB")
        assert grown_bytes < SLACK_BYTES < waited_bytes
    assert fleet.truth.twice() == []


async def test_a_node_that_lost_what_it_was_pushed_and_reads_nothing_takes_bounded_memory(fleet: Fleet) -> None:
    start_with_good_node(fleet)
    greeting = register("lossy", slots=FLOOD, handlers=[app.hold.name])
    async with connected(fleet.hub.node_url) as node, Client(fleet.hub.url) as client:
        await node.enter(greeting)
        async with node.beating():
            await submit(client, app.hold.options(node="lossy"), FLOOD)
            keys = await node.tasks(FLOOD)
    # A hub that has done nothing yet: what it holds more is held for this node.
    fleet.hub.kill()
    fleet.hub.start()
    fleet.node(NODE_ID).wait_for_line("connected to hub", 2)
    async with undisturbed(fleet):
        before_bytes = peak_bytes(fleet)
        async with connected(fleet.hub.node_url) as node:
            # The same process, and it has nothing of all that.
            await node.enter(greeting)
            node.socket.transport.pause_reading()
            await until_dropped(fleet, 1)
        grown_bytes = peak_bytes(fleet) - before_bytes
        waited_bytes = FLOOD * len(PAYLOAD)
        print(f"{waited_bytes / MIB:.0f} MiB for a node that lost it: the hub has grown {grown_bytes / MIB:.0f} MiB")
        assert grown_bytes < SLACK_BYTES < waited_bytes
        async with connected(fleet.hub.node_url) as node:
            await node.enter(greeting)
            async with node.beating():
                assert await node.tasks(FLOOD) == keys
                await node.send(*map(succeeded, keys))
                await node.until_acked(keys)


async def until_dropped(fleet: Fleet, times: int) -> None:
    """Wait until the hub has given a connection up that takes nothing, and freed what waited for it."""
    await until(lambda: fleet.hub.log.count(DROPPED) >= times, "the connection is dropped", GIVEN_UP_WITHIN_S)


async def submit(client: Client, kind: Any, tasks: int = TASKS) -> list[TaskHandle[Any]]:
    """Submit the payloads, in bodies of less than a megabyte: of more, the HTTP library warns."""
    return [handle for _ in range(tasks // 3) for handle in await client.submit_many(kind, [PAYLOAD] * 3)]


async def run(client: Client, kind: Any, tasks: int = TASKS) -> None:
    for handle in await submit(client, kind, tasks):
        assert await handle.result(PATIENCE_S) == PAYLOAD


async def test_a_node_that_pings_and_never_reads_is_dropped(fleet: Fleet) -> None:
    start_with_good_node(fleet)
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
    async with undisturbed(fleet):
        before_bytes = memory_bytes(fleet)
        async with registered(fleet.hub.node_url, "pinger") as node:
            transport = node.socket.transport
            transport.pause_reading()
            async with asyncio.timeout(PATIENCE_S):
                # Each ping has a pong to wait for its place in the socket.
                while not transport.is_closing():
                    if transport.get_write_buffer_size() < MIB:
                        transport.write(pings)
                    # Leaves the machine to the hub; still many times as much as it can answer into a full socket.
                    await asyncio.sleep(0.005)
        grown_bytes = memory_bytes(fleet) - before_bytes
        print(f"the hub has grown {grown_bytes / MIB:.0f} MiB")
        assert grown_bytes < SLACK_BYTES
        await until(lambda: "does not read" in fleet.hub.log, "the hub says why it dropped the connection")


@contextlib.asynccontextmanager
async def deaf_readers(fleet: Fleet, path: str, times: int = 1) -> AsyncIterator[list[socket.socket]]:
    """Ask the hub for something long, many times, and read nothing of it."""
    loop = asyncio.get_running_loop()
    question = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.ExitStack() as opened:
        readers = []
        for _ in range(READERS):
            reader = opened.enter_context(socket.socket())
            reader.setblocking(False)
            # The smallest window there is.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(reader, ("127.0.0.1", fleet.hub.http_port))
            await loop.sock_sendall(reader, question.encode() * times)
            readers.append(reader)
        yield readers


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events?last_event_id=0"], ids=["live", "from the beginning"])
async def test_event_streams_that_are_not_read_take_bounded_memory(fleet: Fleet, path: str) -> None:
    start_with_good_node(fleet)
    async with undisturbed(fleet) as bystander:
        await run(bystander.client, app.echo)
        before_bytes = memory_bytes(fleet)
        async with deaf_readers(fleet, path):
            await run(bystander.client, app.echo)
            grown_bytes = memory_bytes(fleet) - before_bytes
        told_bytes = READERS * TASKS * len(PAYLOAD)
        print(
            f"{told_bytes / MIB:.0f} MiB for readers that read nothing: the hub has grown {grown_bytes / MIB:.0f} MiB"
        )
        # Each reader has a page or two under way; all that it has to be told would be many times as much.
        assert grown_bytes < READERS * 4 * MIB + SLACK_BYTES < told_bytes
        print(f"a task took {bystander.longest_s:.3f} s at worst")


@pytest.mark.soak
async def test_an_event_stream_that_is_not_read_is_cut_off(fleet: Fleet) -> None:
    start_with_good_node(fleet)
    async with undisturbed(fleet) as bystander, deaf_readers(fleet, "/v1/events"):
        await run(bystander.client, app.echo)
        await until(lambda: fleet.hub.log.count("is cut off") >= READERS, "every reader is cut off", 60)


@pytest.mark.soak
async def test_who_does_not_read_an_answer_is_cut_off(fleet: Fleet) -> None:
    start_with_good_node(fleet)
    async with undisturbed(fleet) as bystander:
        handle = await bystander.client.submit(app.echo, PAYLOAD)
        await handle.result(PATIENCE_S)
        # So often that no buffer on the way takes the answers.
        async with deaf_readers(fleet, f"/v1/tasks/{handle.id}", times=50):
            await until(lambda: fleet.hub.log.count("does not read its answer") >= READERS, "all are cut off", 60)
