"""A WebSocket relay that stands between a node and its hub and writes down what passes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hub.accepting import accept_no_more
from protocol.limits import SUBPROTOCOL


class Relay:
    """Messages by direction, as they were on the wire."""

    def __init__(self, hub_url: str) -> None:
        self._hub_url = hub_url
        self.from_node: list[bytes] = []
        self.from_hub: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def carry(self, node: ServerConnection) -> None:
        async with connect(
            f"{self._hub_url}/v1/node", subprotocols=[SUBPROTOCOL], compression=None, proxy=None, max_size=None
        ) as hub:
            await asyncio.gather(self._pump(node, hub, self.from_node), self._pump(hub, node, self.from_hub))

    @staticmethod
    async def _pump(
        source: ServerConnection | ClientConnection, target: ServerConnection | ClientConnection, kept: list[bytes]
    ) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await source.recv(decode=False)
                kept.append(message)
                await target.send(message, text=True)
        await target.close()

    def frames(self, messages: list[bytes]) -> list[dict[str, Any]]:
        return [json.loads(line) for message in messages for line in message.split(b"\n")]

    def counts(self) -> Counter[str]:
        """How many frames of each type passed, both ways."""
        return Counter(frame["type"] for frame in self.frames(self.from_node) + self.frames(self.from_hub))


@contextlib.asynccontextmanager
async def relay_to(hub_url: str) -> AsyncIterator[Relay]:
    """Listen on a port of the system's choice and carry everything to the hub."""
    relay = Relay(hub_url)
    async with serve(
        relay.carry, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL], compression=None, max_size=None
    ) as server:
        relay.port = next(iter(server.sockets)).getsockname()[1]
        yield relay
        await accept_no_more(server.server)
