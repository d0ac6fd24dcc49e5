"""One connection through a fault proxy: two sockets, and a pipe for each direction between them.

Everything here runs on sockets themselves rather than on asyncio's streams: no buffer but those that are counted here,
and a reset is a reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from typing import Final

from moorline.testing.fault_link import Link

CHUNK_BYTES: Final = 64 << 10
# What one direction of a connection holds at most while it is slow. Past either the sender has to wait.
HELD_BYTES_MAX: Final = 1 << 20
HELD_CHUNKS_MAX: Final = 4096

# l_onoff = 1, l_linger = 0: close sends RST and forgets what was not sent.
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class ConnectionCutError(Exception):
    """The connection ends here by a fault; its pipes raise it to its owner."""


class Pipe:
    """Carries bytes from one socket to the other, with the faults of its link."""

    def __init__(self, source: socket.socket, sink: socket.socket, link: Link, chance: random.Random) -> None:
        self._source = source
        self._sink = sink
        self._link = link
        self._chance = chance
        # None stands for the end of what the source has to say.
        self._held: deque[tuple[float, float, bytes | None]] = deque()
        self._held_bytes = 0
        self._arrived = asyncio.Event()
        self._left = asyncio.Event()
        self.passed_bytes = 0
        self.swallowed_bytes = 0
        self.has_swallowed = False
        """Whether bytes or an end were lost: what comes after them would be nonsense to the receiver."""
        self._bytes_until_cut = link.faults.cut_after_bytes

    def cut_after(self, byte_count: int | None) -> None:
        """Have the connection cut so many bytes from now; None for not at all."""
        self._bytes_until_cut = byte_count

    async def carry(self) -> None:
        """Carry everything up to the end of the source.

        Raises:
            ConnectionCutError: the fault of that name.
            OSError: one of the sockets broke.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(), name="fault proxy reads")
            group.create_task(self._write(), name="fault proxy writes")

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._link.wait_while_stalled()
            data = await loop.sock_recv(self._source, CHUNK_BYTES)
            if self._link.faults.is_black_hole:
                self.has_swallowed = True
                self.swallowed_bytes += len(data)
                if not data:
                    # The end is lost too. Nothing comes after it, and nobody may hear of it.
                    await asyncio.Event().wait()
                continue
            if self.has_swallowed:
                # The hole was closed, and this connection has lost bytes in it.
                raise ConnectionCutError
            await self._hold(data or None)
            if not data:
                return

    async def _hold(self, data: bytes | None) -> None:
        while self._held_bytes >= HELD_BYTES_MAX or len(self._held) >= HELD_CHUNKS_MAX:
            self._left.clear()
            await self._left.wait()
        self._held.append((asyncio.get_running_loop().time(), self._chance.uniform(-1, 1), data))
        self._held_bytes += len(data or b"")
        self._arrived.set()

    async def _write(self) -> None:
        while True:
            while not self._held:
                self._arrived.clear()
                await self._arrived.wait()
            arrived_s, deviation, data = self._held[0]
            await self._link.wait_for_latency(arrived_s, deviation)
            await self._link.wait_while_stalled()
            if data is None:
                await self._end()
                return
            await self._pass(data)
            self._held.popleft()
            self._held_bytes -= len(data)
            self._left.set()

    async def _pass(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            if self._link.faults.is_black_hole:
                self.has_swallowed = True
                self.swallowed_bytes += len(rest)
                return
            size = self._link.faults.slice_bytes(len(rest))
            if self._bytes_until_cut is not None:
                size = min(size, self._bytes_until_cut)
            await self._link.wait_for_bandwidth(size)
            await loop.sock_sendall(self._sink, rest[:size])
            self.passed_bytes += size
            rest = rest[size:]
            if self._bytes_until_cut is not None:
                self._bytes_until_cut = max(0, self._bytes_until_cut - size)
                if self._bytes_until_cut == 0:
                    raise ConnectionCutError
            await self._link.wait_while_stalled()

    async def _end(self) -> None:
        await self._link.wait_for_close()
        if self._link.faults.is_black_hole:
            self.has_swallowed = True
            await asyncio.Event().wait()
        # The other end may have gone in the meantime.
        with contextlib.suppress(OSError):
            self._sink.shutdown(socket.SHUT_WR)


class ProxiedConnection:
    """One connection through the proxy, from the moment that the target took it.

    ``number`` counts from 1 in the order in which they came.
    """

    def __init__(
        self, number: int, client: socket.socket, target: socket.socket, *, up: Link, down: Link, chance: random.Random
    ) -> None:
        self.number: Final = number
        self._client = client
        self._target = target
        self.up: Final = Pipe(client, target, up, chance)
        self.down: Final = Pipe(target, client, down, chance)
        self._is_to_be_reset = asyncio.Event()

    @property
    def bytes_up(self) -> int:
        """How many bytes have gone to the target."""
        return self.up.passed_bytes

    @property
    def bytes_down(self) -> int:
        """How many bytes have come from the target."""
        return self.down.passed_bytes

    @property
    def has_swallowed(self) -> bool:
        """Whether a black hole has taken something from it."""
        return self.up.has_swallowed or self.down.has_swallowed

    def reset(self) -> None:
        """Have both ends get a reset (RST), without what was still under way. Twice is harmless."""
        self._is_to_be_reset.set()

    async def carry(self) -> None:
        """Carry bytes until both ends have closed, or one broke, or a fault ended it; close both sockets.

        Cancelling it resets both ends.
        """
        is_reset = True
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(), name="fault proxy watches for a reset")
                pipes = [group.create_task(pipe.carry(), name="fault proxy carries") for pipe in (self.up, self.down)]
                await asyncio.wait(pipes)
                watch.cancel()
            is_reset = False
        except* (ConnectionCutError, OSError):
            # What broke on one side is broken on the other.
            pass
        finally:
            for end in (self._client, self._target):
                close(end, is_reset=is_reset)

    async def _watch(self) -> None:
        await self._is_to_be_reset.wait()
        raise ConnectionCutError


def close(end: socket.socket, *, is_reset: bool) -> None:
    """Close a socket, with a reset if it is to be one."""
    if is_reset:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    end.close()
