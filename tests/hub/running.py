"""A hub that runs, with real sockets and a store that can fail, and a way to talk to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from hub.service import HubService
from hub.settings import HubSettings
from hub.store.contract import Committed, Operation, Store
from hub.store.errors import StoreUnavailableError
from hub.store.now import Now
from protocol import frames
from protocol.codec import encode, hub_frames_decoder
from protocol.frames import Frame, Inventory, Register
from protocol.limits import SUBPROTOCOL

WITHIN_S = 10.0


class FailingStore:
    """The real store, until it is told to fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails = False
        self.answers = threading.Event()
        self.answers.set()
        self.executed: list[Operation] = []

    def execute(self, operations: Sequence[Operation], now: Now) -> Committed:
        if self.fails:
            raise StoreUnavailableError("database or disk is full")
        self.answers.wait(WITHIN_S)
        self.executed += operations
        return self._store.execute(operations, now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Running:
    """A started hub with a store that can fail, and a way to talk to it."""

    def __init__(self, state: Path, **settings: Any) -> None:
        self.stores: list[FailingStore] = []
        values: dict[str, Any] = {"state": state, "node_port": 0, "http_port": 0, "durability": "normal"} | settings
        self.service = HubService(HubSettings(**values), wrap_store=self._wrap)

    def _wrap(self, store: Store) -> Any:
        self.stores.append(FailingStore(store))
        return self.stores[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.http_port}"

    async def node(self, token: str | None = None) -> ClientConnection:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await connect(
            f"ws://127.0.0.1:{self.service.node_port}/v1/node",
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            compression=None,
            proxy=None,
        )

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as http, http.request(method, self.url + path, **more) as answer:
            return answer.status, await answer.json()


async def say(socket: ClientConnection, frame: Frame) -> None:
    await socket.send(encode(frame), text=True)


async def hear(socket: ClientConnection, kind: type[Frame]) -> Any:
    """Read until a frame of this kind comes."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            for frame in hub_frames_decoder().decode(await socket.recv(decode=False)):
                if isinstance(frame, kind):
                    return frame


async def register(hub: Running, token: str | None = None) -> ClientConnection:
    socket = await hub.node(token)
    await say(socket, Register(node_id="n", instance_id="i", slots=4, handlers=["work"], inventory=Inventory()))
    await hear(socket, frames.Registered)
    return socket


async def until(fact: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await fact():
            await asyncio.sleep(0.01)
