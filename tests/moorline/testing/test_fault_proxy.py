"""Each fault, felt through real sockets on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from moorline.testing import FaultProxy, FaultProxyThread

# A shared machine stands still now and then; nothing waits this long unless it has failed.
PATIENCE_S = 20.0
# How long a silence has to last to count as one.
SILENCE_S = 0.2

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Target:
    """A server that keeps what connects to it."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[Ends] = asyncio.Queue()
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def take(self) -> Ends:
        return await within(self.taken.get())

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.taken.put_nowait((reader, writer))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Target]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                await end(writer)


async def within(awaitable, limit_s: float = PATIENCE_S):
    async with asyncio.timeout(limit_s):
        return await awaitable


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not fact():
            await asyncio.sleep(0.01)


async def is_silent(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(SILENCE_S):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with Target().running() as running:
        yield running


@pytest.fixture
async def proxy(target: Target) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", target.port) as proxy:
        yield proxy


class Clients:
    def __init__(self, proxy: FaultProxy, target: Target) -> None:
        self._proxy = proxy
        self._target = target
        self.writers: list[asyncio.StreamWriter] = []

    async def dial(self) -> Ends:
        reader, writer = await within(asyncio.open_connection(self._proxy.host, self._proxy.port))
        self.writers.append(writer)
        return reader, writer

    async def link(self) -> tuple[Ends, Ends]:
        client = await self.dial()
        return client, await self._target.take()


@pytest.fixture
async def clients(proxy: FaultProxy, target: Target) -> AsyncIterator[Clients]:
    made = Clients(proxy, target)
    yield made
    for writer in made.writers:
        await end(writer)


async def test_without_faults_bytes_arrive_both_ways_and_are_counted(proxy: FaultProxy, clients: Clients) -> None:
    (reader, writer), (far_reader, far_writer) = await clients.link()
    writer.write(b"question")
    assert await within(far_reader.readexactly(8)) == b"question"
    far_writer.write(b"reply")
    assert await within(reader.readexactly(5)) == b"reply"
    await until(lambda: (proxy.bytes_up, proxy.bytes_down) == (8, 5))
    assert [connection.number for connection in proxy.connections] == [1]
    assert proxy.url("ws", "/v1/node") == f"ws://127.0.0.1:{proxy.port}/v1/node"


async def test_a_large_message_arrives_whole(clients: Clients) -> None:
    (_, writer), (far_reader, _) = await clients.link()
    message = bytes(range(256)) * (3 << 12)
    writer.write(message)
    assert await within(far_reader.readexactly(len(message))) == message


async def test_an_end_that_closes_is_seen_by_the_other_and_may_still_be_answered(
    proxy: FaultProxy, clients: Clients
) -> None:
    (reader, writer), (far_reader, far_writer) = await clients.link()
    writer.write_eof()
    assert await within(far_reader.read()) == b""
    far_writer.write(b"last word")
    far_writer.close()
    assert await within(reader.read()) == b"last word"
    await until(lambda: not proxy.connections)
    assert proxy.bytes_down == 9


async def test_latency_holds_everything_back_and_keeps_the_order(proxy: FaultProxy, clients: Clients) -> None:
    (_, writer), (far_reader, _) = await clients.link()
    proxy.delay(0.3, jitter_s=0.1, direction="up")
    started = time.monotonic()
    for number in range(10):
        writer.write(b"%d" % number)
        await writer.drain()
        await asyncio.sleep(0.005)
    assert await within(far_reader.readexactly(10)) == b"0123456789"
    # They wait side by side, not one after the other.
    assert 0.2 <= time.monotonic() - started < PATIENCE_S / 4


async def test_latency_of_one_direction_leaves_the_other_alone(proxy: FaultProxy, clients: Clients) -> None:
    (reader, writer), (far_reader, far_writer) = await clients.link()
    proxy.delay(600, direction="up")
    writer.write(b"a")
    far_writer.write(b"b")
    assert await within(reader.readexactly(1)) == b"b"
    assert await is_silent(far_reader)
    proxy.delay(0)
    assert await within(far_reader.readexactly(1)) == b"a", "what was held back is due when the latency ends"


async def test_bandwidth_lets_only_so_much_through(proxy: FaultProxy, clients: Clients) -> None:
    (_, writer), (far_reader, _) = await clients.link()
    proxy.limit(20_000, direction="up")
    started = time.monotonic()
    writer.write(bytes(10_000))
    await within(far_reader.readexactly(10_000))
    assert time.monotonic() - started >= 0.45
    proxy.limit(None)
    writer.write(bytes(1 << 20))
    await within(far_reader.readexactly(1 << 20))


async def sent_within(writer: asyncio.StreamWriter, limit_s: float) -> int:
    """Send as much as it takes, 64 MiB at most; give how many bytes that was."""
    writer.transport.set_write_buffer_limits(high=0)
    sent = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while sent < 64 << 20:
                writer.write(bytes(1 << 16))
                await writer.drain()
                sent += 1 << 16
    return sent


async def test_a_slow_link_makes_the_sender_wait_rather_than_hold_without_bound(
    proxy: FaultProxy, clients: Clients
) -> None:
    proxy.limit(1000)
    (_, writer), _ = await clients.link()
    assert await sent_within(writer, 1.0) < 32 << 20
    writer.transport.abort()


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_black_hole_swallows_one_direction_only(proxy: FaultProxy, clients: Clients, direction: str) -> None:
    near, far = await clients.link()
    sending, receiving = (near, far) if direction == "up" else (far, near)
    proxy.black_hole(direction)
    sending[1].write(b"lost")
    receiving[1].write(b"found")
    assert await within(sending[0].readexactly(5)) == b"found"
    await until(lambda: proxy.bytes_swallowed == 4)
    assert await is_silent(receiving[0])


async def test_a_black_hole_swallows_an_end_too(proxy: FaultProxy, clients: Clients) -> None:
    (_, writer), (far_reader, _) = await clients.link()
    proxy.black_hole("up")
    await end(writer)
    assert await is_silent(far_reader)


async def test_a_connection_that_lost_bytes_is_reset_when_the_hole_is_mended(
    proxy: FaultProxy, clients: Clients
) -> None:
    (reader, writer), (far_reader, _) = await clients.link()
    whole, far_whole = await clients.link()
    proxy.black_hole("up")
    writer.write(b"lost")
    await until(lambda: proxy.bytes_swallowed == 4)
    proxy.mend()
    with pytest.raises(ConnectionResetError):
        await within(reader.read())
    with pytest.raises(ConnectionResetError):
        await within(far_reader.read())
    whole[1].write(b"nothing lost")
    assert await within(far_whole[0].readexactly(12)) == b"nothing lost"


async def test_a_stall_moves_nothing_and_loses_nothing(proxy: FaultProxy, clients: Clients) -> None:
    (_, writer), (far_reader, _) = await clients.link()
    proxy.stall("up")
    writer.write(b"later")
    assert await is_silent(far_reader)
    proxy.mend()
    assert await within(far_reader.readexactly(5)) == b"later"


async def test_a_stall_makes_the_sender_wait(proxy: FaultProxy, clients: Clients) -> None:
    (_, writer), _ = await clients.link()
    proxy.stall("up")
    assert await sent_within(writer, 1.0) < 32 << 20
    writer.transport.abort()


async def test_a_connection_is_cut_after_just_so_many_bytes(proxy: FaultProxy, clients: Clients) -> None:
    (reader, writer), (far_reader, _) = await clients.link()
    writer.write(b"before")
    await within(far_reader.readexactly(6))
    proxy.cut_after(4, direction="up")
    writer.write(b"abcdefgh")
    assert await within(far_reader.readexactly(4)) == b"abcd"
    with pytest.raises(ConnectionResetError):
        await within(far_reader.read())
    with pytest.raises(ConnectionResetError):
        await within(reader.read())
    (_, next_writer), (next_far, _) = await clients.link()
    next_writer.write(b"1234")
    assert await within(next_far.readexactly(4)) == b"1234"
    with pytest.raises(ConnectionResetError):
        await within(next_far.read())


async def test_a_reset_is_felt_as_such_at_both_ends(proxy: FaultProxy, clients: Clients) -> None:
    (reader, _), (far_reader, _) = await clients.link()
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await within(reader.read())
    with pytest.raises(ConnectionResetError):
        await within(far_reader.read())
    await until(lambda: not proxy.connections)
    assert proxy.reset() == 0


async def test_one_connection_can_be_reset_among_many(proxy: FaultProxy, clients: Clients) -> None:
    first, _ = await clients.link()
    second, far_second = await clients.link()
    assert proxy.reset(1) == 1
    with pytest.raises(ConnectionResetError):
        await within(first[0].read())
    far_second[1].write(b"alive")
    assert await within(second[0].readexactly(5)) == b"alive"


async def test_a_slow_close_is_seen_later(proxy: FaultProxy, clients: Clients) -> None:
    (_, writer), (far_reader, _) = await clients.link()
    proxy.close_slowly(600, direction="up")
    writer.write(b"bye")
    await end(writer)
    assert await within(far_reader.readexactly(3)) == b"bye"
    assert await is_silent(far_reader)
    proxy.close_slowly(0)
    assert await within(far_reader.read()) == b""


async def test_new_connections_are_refused_on_a_port_that_stays_ours(proxy: FaultProxy, clients: Clients) -> None:
    (reader, _), (_, far_writer) = await clients.link()
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await clients.dial()
    far_writer.write(b"still here")
    assert await within(reader.readexactly(10)) == b"still here"
    proxy.welcome()
    assert proxy.port == port
    await clients.link()


async def test_accept_then_close_ends_new_connections_at_once(proxy: FaultProxy, clients: Clients) -> None:
    proxy.accept_then_close()
    reader, _ = await clients.dial()
    assert await within(reader.read()) == b""
    proxy.mend()
    await clients.link()
    assert proxy.connections_total == 2


async def test_a_target_that_is_not_there_ends_the_connection(clients: Clients) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with FaultProxy("127.0.0.1", unused.getsockname()[1]) as proxy:
            reader, writer = await within(asyncio.open_connection(proxy.host, proxy.port))
            with contextlib.suppress(ConnectionResetError):
                assert await within(reader.read()) == b""
            await end(writer)


async def test_stopping_resets_what_is_connected_and_leaves_no_task(target: Target) -> None:
    before = asyncio.all_tasks()
    proxy = FaultProxy("127.0.0.1", target.port)
    await proxy.start()
    await proxy.start()
    reader, writer = await within(asyncio.open_connection(proxy.host, proxy.port))
    await target.take()
    proxy.stall()
    await proxy.stop()
    await proxy.stop()
    with pytest.raises(ConnectionResetError):
        await within(reader.read())
    await end(writer)
    ours = {task for task in asyncio.all_tasks() - before if "fault proxy" in task.get_name()}
    assert not ours


async def test_it_listens_on_a_port_that_was_asked_for(target: Target) -> None:
    async with FaultProxy("127.0.0.1", target.port) as first:
        port = first.port
    async with FaultProxy("127.0.0.1", target.port, port=port) as second:
        assert second.port == port
        with pytest.raises(OSError, match="in use"):
            await FaultProxy("127.0.0.1", target.port, port=port).start()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda proxy: proxy.delay(-1),
        lambda proxy: proxy.delay(0, jitter_s=-1),
        lambda proxy: proxy.limit(0),
        lambda proxy: proxy.cut_after(-1),
        lambda proxy: proxy.close_slowly(-0.1),
        lambda proxy: proxy.stall("sideways"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_where_it_is_asked_for(wrong: Callable[[FaultProxy], None]) -> None:
    with pytest.raises(ValueError, match="is"):
        wrong(FaultProxy("127.0.0.1", 1))


# --- from a thread ----------------------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


def test_a_test_that_is_not_async_has_the_same_verbs(listener: socket.socket) -> None:
    with FaultProxyThread("127.0.0.1", listener.getsockname()[1]) as proxy:
        near = socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S)
        far, _ = listener.accept()
        far.settimeout(PATIENCE_S)
        with near, far:
            near.sendall(b"ping")
            assert far.recv(4, socket.MSG_WAITALL) == b"ping"
            assert proxy.connections == (1,)
            assert proxy.bytes_up == 4
            proxy.delay(0.01)
            proxy.limit(1e6)
            proxy.cut_after(1 << 20)
            proxy.close_slowly(0.01)
            proxy.stall("down")
            proxy.mend()
            far.sendall(b"pong")
            assert near.recv(4, socket.MSG_WAITALL) == b"pong"
            proxy.refuse()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S)
            proxy.accept_then_close()
            proxy.welcome()
            proxy.black_hole("up")
            assert proxy.reset() == 1
            with pytest.raises(ConnectionResetError):
                near.recv(1)
    assert not any(thread.name == "fault proxy" for thread in threading.enumerate())
    proxy.stop()


def test_a_port_that_is_taken_leaves_no_thread_behind(listener: socket.socket) -> None:
    proxy = FaultProxyThread("127.0.0.1", 1, port=listener.getsockname()[1])
    with pytest.raises(OSError, match="in use"):
        proxy.start()
    proxy.stop()
