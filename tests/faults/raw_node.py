"""A node that says exactly what a test wants, over a real WebSocket; it runs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Raw
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from protocol import frames
from protocol.codec import encode_messages, hub_frames_decoder
from protocol.frames import AttemptKey, HubFrame, NodeFrame
from protocol.limits import MESSAGE_BYTES_MAX, NODE_PATH, SUBPROTOCOL
from tests.end_to_end.processes import PATIENCE_S

F = TypeVar("F", bound=HubFrame)

# The hubs of these tests ask for a heartbeat each second; several in one leave room for a machine that is busy.
BEAT_EVERY_S = 0.3

_instances = itertools.count(1)


def register(node_id: str, **fields: Any) -> frames.Register:
    """Make a `register` of a new instance that holds nothing, with room for everything that the tests submit."""
    values: dict[str, Any] = {
        "instance_id": f"{node_id}-{next(_instances)}",
        "slots": 64,
        "handlers": ["work"],
        "inventory": frames.Inventory(),
    }
    return frames.Register(node_id=node_id, **values | fields)


def succeeded(key: AttemptKey, value: bytes = b"null") -> frames.Result:
    """Make the result of an attempt that came to this value."""
    return frames.Result(task_id=key[0], attempt=key[1], outcome="succeeded", value=Raw(value))


class RawNode:
    """One connection. It answers pings; heartbeats only while `beating`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.acked: list[AttemptKey] = []
        """Every key that an `ack` has named so far, as `expect` met it."""
        self._decoder = hub_frames_decoder()
        self._frames: list[HubFrame] = []

    async def send(self, *what: NodeFrame) -> None:
        """Send frames in one message, or more if they are large."""
        for message in encode_messages(what):
            await self.socket.send(message, text=True)

    async def send_bytes(self, message: bytes) -> None:
        """Send a text message, whatever is in it."""
        await self.socket.send(message, text=True)

    async def expect(self, kind: type[F]) -> F:
        """Wait for the next frame of this kind; others before it are skipped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame = await self._next()
                if isinstance(frame, kind):
                    return frame

    async def tasks(self, count: int) -> list[AttemptKey]:
        """Wait until so many tasks were pushed; give their keys."""
        pushed = [await self.expect(frames.Task) for _ in range(count)]
        return [(task.task_id, task.attempt) for task in pushed]

    async def until_acked(self, keys: Iterable[AttemptKey]) -> None:
        """Wait until every key was acked."""
        missing = set(keys) - set(self.acked)
        while missing:
            missing -= set((await self.expect(frames.Ack)).attempts)

    async def enter(self, greeting: frames.Register) -> frames.Registered:
        """Register."""
        await self.send(greeting)
        return await self.expect(frames.Registered)

    async def closed(self) -> tuple[int, str]:
        """Wait until the hub has closed it, and read on meanwhile; give its code and its reason."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self._next()
        return self.socket.close_code or 0, self.socket.close_reason or ""

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Send heartbeats meanwhile."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _beat(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for sequence in itertools.count(1):
                await self.send(frames.Heartbeat(sequence=sequence))
                await asyncio.sleep(BEAT_EVERY_S)

    async def _next(self) -> HubFrame:
        while not self._frames:
            self._frames = self._decoder.decode(await self.socket.recv(decode=False))
        frame = self._frames.pop(0)
        if isinstance(frame, frames.Ack):
            self.acked += frame.attempts
        return frame


@contextlib.asynccontextmanager
async def connected(
    hub_url: str, *, token: str = "", subprotocols: Sequence[str] = (SUBPROTOCOL,), **options: Any
) -> AsyncIterator[RawNode]:
    """Connect to a hub, without having registered.

    Raises on entry:
        websockets.exceptions.InvalidStatus: the hub refuses the handshake.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with connect(
        hub_url + NODE_PATH,
        subprotocols=[Subprotocol(name) for name in subprotocols],
        additional_headers=headers,
        compression=None,
        proxy=None,
        max_size=MESSAGE_BYTES_MAX,
        open_timeout=PATIENCE_S,
        close_timeout=1,
        **options,
    ) as socket:
        yield RawNode(socket)


@contextlib.asynccontextmanager
async def registered(hub_url: str, node_id: str, *, token: str = "", **fields: Any) -> AsyncIterator[RawNode]:
    """Connect to a hub, register, and send heartbeats."""
    async with connected(hub_url, token=token) as node:
        await node.enter(register(node_id, **fields))
        async with node.beating():
            yield node
