"""A hub for tests: a real socket that speaks the protocol, and does what the test says."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

import msgspec
from msgspec import Raw
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from hub.accepting import accept_no_more
from protocol import frames
from protocol.codec import encode_messages, node_frames_decoder
from protocol.frames import HubFrame, NodeFrame
from protocol.limits import HUB_INSTANCE_HEADER, MESSAGE_BYTES_MAX, SUBPROTOCOL

F = TypeVar("F", bound=NodeFrame)

# Nothing in these tests takes longer, on whatever machine.
PATIENCE_S = 20.0


def task(
    task_id: str, name: str = "echo", *, attempt: int = 1, lease_s: float = 300.0, **options: object
) -> frames.Task:
    """Make a `task` frame; ``payload`` is any object, ``timeout_s`` as in the frame."""
    payload = Raw(msgspec.json.encode(options.pop("payload", {})))
    timeout_s = options.pop("timeout_s", None)
    assert not options
    assert timeout_s is None or isinstance(timeout_s, float)
    return frames.Task(
        task_id=task_id, attempt=attempt, name=name, payload=payload, timeout_s=timeout_s, lease_s=lease_s
    )


class Peer:
    """One accepted connection of a node. Heartbeats are acked unless ``acks_heartbeats`` is turned off."""

    def __init__(self, socket: ServerConnection, session_id: str) -> None:
        self.socket = socket
        self.session_id = session_id
        self.heartbeats: list[frames.Heartbeat] = []
        self.acks_heartbeats = True
        self.close_code: int | None = None
        self._frames: asyncio.Queue[NodeFrame | None] = asyncio.Queue()

    async def listen(self) -> None:
        decoder = node_frames_decoder()
        try:
            while True:
                for frame in decoder.decode(await self.socket.recv(decode=False)):
                    if isinstance(frame, frames.Heartbeat):
                        self.heartbeats.append(frame)
                        if self.acks_heartbeats:
                            await self.send(frames.HeartbeatAck(sequence=frame.sequence))
                    self._frames.put_nowait(frame)
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd is not None else 1006
            self._frames.put_nowait(None)

    async def send(self, *what: HubFrame) -> None:
        for message in encode_messages(what):
            await self.socket.send(message, text=True)

    async def expect(self, kind: type[F]) -> F:
        """Wait for the next frame of this kind; others before it are skipped."""
        while True:
            frame = await self.next()
            if isinstance(frame, kind):
                return frame

    async def next(self) -> NodeFrame:
        """Wait for the next frame."""
        async with asyncio.timeout(PATIENCE_S):
            frame = await self._frames.get()
        assert frame is not None, f"the node closed with {self.close_code}"
        return frame

    async def gone(self) -> int:
        """Wait until the node has left; give its close code."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._frames.get() is not None:
                pass
        assert self.close_code is not None
        return self.close_code

    async def welcome(
        self,
        *what: HubFrame,
        heartbeat_s: float = 10.0,
        spread_s: float = 0.0,
        limits: frames.HubLimits = frames.HubLimits(),  # noqa: B008
    ) -> frames.Register | frames.Resume:
        """Take the greeting, answer it, and send what else there is in the same message."""
        greeting = await self.next()
        assert isinstance(greeting, frames.Register | frames.Resume)
        kind = frames.Registered if isinstance(greeting, frames.Register) else frames.Resumed
        answer = kind(
            session_id=self.session_id, hub_id="hub", heartbeat_s=heartbeat_s, spread_s=spread_s, limits=limits
        )
        await self.send(answer, *what)
        return greeting


class FakeHub:
    """Listens on a port of the system's choice.

    Args:
        answer: what to answer to a handshake instead of accepting it, None to accept.
        subprotocols: what the server offers.
        instance: which process of a hub it says to be; it may change, and says nothing if it is empty.
    """

    def __init__(
        self,
        answer: Callable[[ServerConnection, Request], Response | None] | None = None,
        subprotocols: Sequence[str] = (SUBPROTOCOL,),
        instance: str = "",
    ) -> None:
        self.answer = answer
        self.instance = instance
        self.dials = 0
        self.requests: list[Request] = []
        self._subprotocols = [Subprotocol(name) for name in subprotocols]
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FakeHub:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut()

    async def open(self) -> None:
        """Listen; on the same port as before, if it did."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=self._subprotocols or None,
            process_request=self._process,
            process_response=self._sign,
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            close_timeout=1,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def shut(self, code: int = 1001) -> None:
        """Stop listening and close all connections."""
        assert self._server is not None
        await accept_no_more(self._server.server)
        self._server.close(close_connections=True, code=code) if code != 1001 else self._server.close()
        await self._server.wait_closed()

    async def peer(self) -> Peer:
        """Wait for the next node that connects."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._peers.get()

    def _process(self, socket: ServerConnection, request: Request) -> Response | None:
        self.dials += 1
        self.requests.append(request)
        return self.answer(socket, request) if self.answer is not None else None

    def _sign(self, socket: ServerConnection, request: Request, response: Response) -> None:
        if self.instance:
            response.headers[HUB_INSTANCE_HEADER] = self.instance

    async def _serve(self, socket: ServerConnection) -> None:
        peer = Peer(socket, f"session-{secrets.token_hex(4)}")
        self._peers.put_nowait(peer)
        await peer.listen()
