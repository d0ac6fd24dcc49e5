from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator

import pytest

from moorline.testing import fault_listener
from moorline.testing.fault_listener import Listener, owned_by

WITHIN_S = 10.0


class Taken:
    """What a listener has taken; closed at the end."""

    def __init__(self) -> None:
        self.clients: list[socket.socket] = []
        self.on_client: Callable[[], None] = lambda: None

    def __call__(self, client: socket.socket) -> None:
        self.clients.append(client)
        self.on_client()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(WITHIN_S):
            while len(self.clients) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def taken() -> Iterator[Taken]:
    taken = Taken()
    yield taken
    for client in taken.clients:
        client.close()


@pytest.fixture
async def listener(taken: Taken) -> Listener:
    listener = Listener("127.0.0.1", 0, taken)
    listener.occupy()
    return listener


def dial(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), WITHIN_S)


async def test_a_place_without_a_listener_refuses(listener: Listener) -> None:
    with pytest.raises(ConnectionRefusedError):
        dial(listener)
    listener.close()
    assert not listener.has_place


async def test_the_port_stays_its_own_whatever_is_refused(listener: Listener, taken: Taken) -> None:
    port = listener.port
    for count in (1, 2):
        listener.listen()
        listener.listen()
        with dial(listener):
            await taken.wait_for(count)
        listener.refuse()
        listener.refuse()
        with pytest.raises(ConnectionRefusedError):
            dial(listener)
    assert listener.port == port
    assert not any(client.getblocking() for client in taken.clients)
    listener.close()
    listener.close()


async def test_without_a_place_it_does_not_listen(taken: Taken) -> None:
    listener = Listener("127.0.0.1", 0, taken)
    listener.listen()
    assert listener.port == 0


async def test_a_place_that_is_taken_is_an_error(listener: Listener, taken: Taken) -> None:
    listener.listen()
    other = Listener("127.0.0.1", listener.port, taken)
    with pytest.raises(OSError, match="in use"):
        other.occupy()
    listener.close()


async def test_who_is_taken_may_close_the_listener(listener: Listener, taken: Taken) -> None:
    listener.listen()
    taken.on_client = listener.close
    with dial(listener), dial(listener):
        await taken.wait_for(1)
        await asyncio.sleep(0)
    assert len(taken.clients) == 1


async def test_who_comes_while_no_descriptor_is_left_is_taken_a_moment_later(
    listener: Listener, taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = socket.socket.accept
    failures = [OSError(errno.EMFILE, "too many open files")]

    def accept_or_fail(listening: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return accept(listening)

    monkeypatch.setattr(socket.socket, "accept", accept_or_fail)
    monkeypatch.setattr(fault_listener, "NO_DESCRIPTORS_PAUSE_S", 0.01)
    listener.listen()
    with dial(listener):
        await taken.wait_for(1)
    assert failures == []
    listener.close()


async def test_a_pause_that_ends_after_the_listener_was_closed_starts_nothing(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = asyncio.Event()

    def fail(listening: socket.socket) -> tuple[socket.socket, object]:
        paused.set()
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(socket.socket, "accept", fail)
    monkeypatch.setattr(fault_listener, "NO_DESCRIPTORS_PAUSE_S", 0.01)
    listener.listen()
    with dial(listener):
        async with asyncio.timeout(WITHIN_S):
            await paused.wait()
        listener.close()
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, over.set)
        await over.wait()


async def test_a_socket_is_closed_with_its_task_even_if_that_never_began() -> None:
    near, far = socket.socketpair()
    with far:
        task = asyncio.create_task(asyncio.sleep(60))
        owned_by(task, near)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert near.fileno() == -1
