"""A node that has nothing to do: it registers, sends its heartbeats on time, and comes back as nodes come back.

It speaks the protocol itself (docs/reference/protocol.md) over plain `websockets`, so that thousands fit in one
process; when it dials is decided by the real code for it (`node.decisions.backing_off`).
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from node.connection import OPEN_WITHIN_S, PING_EVERY_S, PING_TIMEOUT_S
from node.decisions.backing_off import BackingOff
from protocol.codec import encode, hub_frames_decoder
from protocol.frames import Heartbeat, HeartbeatAck, Inventory, Register, Registered
from protocol.limits import MESSAGE_BYTES_MAX, NODE_PATH, SUBPROTOCOL

HANDLER: Final = "idle"


class IdleNode:
    """One node with one slot that nobody uses.

    Args:
        url: the hub's address for nodes.
        node_id: who it is; its instance is named likewise.
    """

    def __init__(self, url: str, node_id: str) -> None:
        self._url = url + NODE_PATH
        self._greeting = encode(
            Register(
                node_id=node_id,
                instance_id=f"{node_id}-1",
                slots=1,
                handlers=[HANDLER],
                inventory=Inventory(),
            )
        )
        self._backing_off = BackingOff(random.random)
        self._decoder = hub_frames_decoder()
        self._socket: ClientConnection | None = None
        self._heartbeat_s = 0.0

    async def enter(self) -> float | None:
        """Dial and register, once; give the wait before the next try if it came to nothing."""
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                socket = await self._connect()
                await socket.send(self._greeting, text=True)
                frames = self._decoder.decode(await socket.recv(decode=False))
        except InvalidStatus as error:
            retry_after_s = error.response.headers.get("Retry-After")
            return self._backing_off.after_failure(None if retry_after_s is None else float(retry_after_s))
        except (OSError, TimeoutError, EOFError, InvalidHandshake, ConnectionClosed):
            return self._backing_off.after_failure()
        welcome = frames[0]
        if not isinstance(welcome, Registered):
            await socket.close()
            return self._backing_off.after_failure()
        self._backing_off.spread_named(welcome.spread_s)
        self._heartbeat_s = welcome.heartbeat_s
        self._socket = socket
        return None

    async def _connect(self) -> ClientConnection:
        return await connect(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None,
            max_size=MESSAGE_BYTES_MAX,
            open_timeout=None,
            ping_interval=PING_EVERY_S,
            ping_timeout=PING_TIMEOUT_S,
        )

    async def stay(self) -> float:
        """Send heartbeats until the connection ends; give the wait before the next dial."""
        if self._socket is None:
            raise RuntimeError("it has not come in")
        opened_s = time.monotonic()
        try:
            await self._beat(self._socket)
        except ConnectionClosed:
            self._socket = None
        return self._backing_off.after_session(time.monotonic() - opened_s)

    async def _beat(self, socket: ClientConnection) -> None:
        """Send each heartbeat when it is due, and take what the hub says."""
        loop = asyncio.get_running_loop()
        # As a real node does: a fleet that came at once does not beat at once.
        due_s = loop.time() + self._heartbeat_s * random.random()
        sequence = 0
        while True:
            try:
                async with asyncio.timeout_at(due_s):
                    frames = self._decoder.decode(await socket.recv(decode=False))
            except TimeoutError:
                sequence += 1
                due_s += self._heartbeat_s
                await socket.send(encode(Heartbeat(sequence=sequence)), text=True)
                continue
            for frame in frames:
                if isinstance(frame, HeartbeatAck) and frame.spread_s is not None:
                    self._backing_off.spread_named(frame.spread_s)
