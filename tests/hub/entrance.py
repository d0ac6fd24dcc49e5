"""A real entrance for nodes, with nobody behind it: a gateway, its door and its peers, and clients that knock."""

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

from hub.clock import Clock
from hub.decisions.admission import Admission
from hub.door import Door
from hub.gateway import Gateway
from hub.peers import Peers
from protocol.frames import NodeFrame
from protocol.limits import SUBPROTOCOL

WITHIN_S = 10.0


class Grant(Struct, frozen=True):
    token_id: str
    node_id: str | None = None


class Recorder:
    """Stands where the driver stands: notes what the gateway tells, and can refuse frames."""

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


class Entrance:
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
        self.peers = Peers()
        silent_after_s = values.pop("silent_after_s")
        self.door = Door(
            needs_token=lambda: bool(self.tokens),
            check_token=self._check,
            admission=Admission(values.pop("rate")),
            clock=Clock(),
            **values,
        )
        self.gateway = Gateway(self.recorder, self.peers, self.door, silent_after_s=silent_after_s)

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
async def an_entrance(**settings: Any) -> AsyncIterator[Entrance]:
    entrance = Entrance(**settings)
    await entrance.gateway.start("127.0.0.1", 0, None)
    try:
        yield entrance
    finally:
        await entrance.gateway.stop()


async def closing(socket: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(WITHIN_S):
        await socket.wait_closed()
    return socket.close_code or 0, socket.close_reason or ""
