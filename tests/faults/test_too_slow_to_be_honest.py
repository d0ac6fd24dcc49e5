"""Thousands of sockets that say nothing, drip, or never register: cut at their deadlines, and a good node gets in."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from hub.gateway import OPEN_WITHIN_S
from hub.http.bodies import BODY_WITHIN_S
from hub.http.server import IDLE_S
from protocol.limits import NODE_PATH, SUBPROTOCOL
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.bystander import NODE_ID, make_patient, undisturbed
from tests.faults.raw_node import registered

SOCKETS = 2_000
CLIENTS = 300

# What a shell gives a process that does not ask for more; a hub has to ask.
USUAL_DESCRIPTORS = 1024

# A handshake takes part in the hub's rate of admission, which is for those who are let in: they come below it.
HANDSHAKES_PER_S = 200

# From the handshake's end; the same in the hub's core.
REGISTER_WITHIN_S = 10.0
DRIP_EVERY_S = 1.0

# The promise is 1 s on a machine that has nothing else to do; this one runs other tests, and two thousand attackers.
GOOD_NODE_WITHIN_S = 10.0

GREETING = (
    f"GET {NODE_PATH} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
).encode()


@pytest.fixture
def descriptors() -> Iterator[int]:
    """Let this process open enough; gives what its children are to start with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * SOCKETS:
        pytest.skip(f"this process may open {hard} descriptors at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * SOCKETS), hard))
    yield USUAL_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def start_as_usual(fleet: Fleet, descriptors: int) -> None:
    """Start the hub as from a shell that allows few descriptors, and more to who asks for them."""
    make_patient(fleet)
    mine, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
    try:
        fleet.hub.begin()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (mine, hard))
    fleet.hub.wait_for_line("hub ready")
    fleet.add_node(NODE_ID).wait_for_line("connected to hub")


class Attackers:
    """Sockets that are up to no good, each until the hub cuts it off."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._begun_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.open = 0
        self.lived_s: list[float] = []

    def attack(self, count: int, begin: bytes, drip: bytes) -> None:
        """Open so many, say the beginning, and then a drop again and again if there is one."""
        for _ in range(count):
            self._tasks.add(asyncio.create_task(self._one(begin, drip)))

    async def _one(self, begin: bytes, drip: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.open += 1
        begun_s = time.monotonic()
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(begin)
                await self._stay(reader, writer, drip)
        finally:
            self.open -= 1
            self.lived_s.append(time.monotonic() - begun_s)
            writer.transport.abort()

    @staticmethod
    async def _stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drip: bytes) -> None:
        reading = asyncio.create_task(reader.read(-1))
        try:
            while not (await asyncio.wait([reading], timeout=DRIP_EVERY_S if drip else None))[0]:
                writer.write(drip)
            await reading
        finally:
            reading.cancel()

    async def until_open(self, count: int) -> None:
        await _until(lambda: self.open >= count, PATIENCE_S)

    async def until_cut(self, within_s: float) -> None:
        """Wait until the hub has cut all of them off."""
        await _until(lambda: all(task.done() for task in self._tasks), within_s)
        await asyncio.gather(*self._tasks)

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _until(fact: Callable[[], bool], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not fact():
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def attackers(port: int) -> AsyncIterator[Attackers]:
    crowd = Attackers(port)
    try:
        yield crowd
    finally:
        await crowd.leave()


async def longest(attempts: int, attempt: Callable[[], Awaitable[None]]) -> float:
    """Give the longest time that one of these takes, in seconds."""
    worst_s = 0.0
    for _ in range(attempts):
        begun_s = time.monotonic()
        await attempt()
        worst_s = max(worst_s, time.monotonic() - begun_s)
    return worst_s


async def test_a_good_node_gets_in_past_two_thousand_others(fleet: Fleet, descriptors: int) -> None:
    start_as_usual(fleet, descriptors)

    async def come_in() -> None:
        async with registered(fleet.hub.node_url, "late"):
            pass

    async with undisturbed(fleet) as bystander, attackers(fleet.hub.node_port) as crowd:
        crowd.attack(SOCKETS * 2 // 5, b"", b"")
        crowd.attack(SOCKETS * 2 // 5, GREETING[:-2], b"X-Drip: drop\r\n")
        for _ in range(SOCKETS // 5 // (HANDSHAKES_PER_S // 10)):
            crowd.attack(HANDSHAKES_PER_S // 10, GREETING, b"")
            await asyncio.sleep(0.1)
        await crowd.until_open(SOCKETS)
        worst_s = await longest(5, come_in)
        assert crowd.open > SOCKETS // 2, "they were gone before the good node came"
        await crowd.until_cut(OPEN_WITHIN_S + REGISTER_WITHIN_S + PATIENCE_S)
        print(f"a good node is in after {worst_s:.3f} s at worst, a task takes {bystander.longest_s:.3f} s")
        print(f"{len(crowd.lived_s)} were cut after {min(crowd.lived_s):.1f} to {max(crowd.lived_s):.1f} s")
        assert worst_s < GOOD_NODE_WITHIN_S
        assert len(crowd.lived_s) == SOCKETS


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_slow_clients_are_cut_off_and_good_ones_are_answered(fleet: Fleet, descriptors: int) -> None:
    start_as_usual(fleet, descriptors)
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    async with undisturbed(fleet) as bystander, attackers(fleet.hub.http_port) as crowd:
        crowd.attack(CLIENTS, b"", b"")
        crowd.attack(CLIENTS, head, b"X: y\r\n")
        crowd.attack(CLIENTS, head + b"Content-Length: 1000\r\n\r\n", b" ")
        crowd.attack(CLIENTS, b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"")
        await crowd.until_open(4 * CLIENTS)
        await crowd.until_cut(IDLE_S + BODY_WITHIN_S + PATIENCE_S)
        print(
            f"cut after {min(crowd.lived_s):.1f} to {max(crowd.lived_s):.1f} s; a task took {bystander.longest_s:.3f} s"
        )
