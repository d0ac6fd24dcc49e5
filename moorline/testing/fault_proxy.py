"""A TCP proxy whose links can be broken: what a network does to a program, done on purpose, on loopback.

It knows nothing of what is spoken through it. Faults can be changed while it runs, and act at once on connections that
exist as well as on those to come. ``mend`` ends all of them.
"""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import replace
from enum import Enum, auto
from types import TracebackType
from typing import Any, Final, Self

from moorline.testing.fault_connection import ProxiedConnection, close
from moorline.testing.fault_link import Direction, Link, LinkFaults
from moorline.testing.fault_listener import Listener, owned_by

# A target on the same machine or network takes a connection at once, or not at all.
CONNECT_WITHIN_S: Final = 10.0


class _Door(Enum):
    """What a new connection meets."""

    OPEN = auto()
    REFUSES = auto()
    CLOSES = auto()


class FaultProxy:
    """Stands between clients and one target, and does to their connections what it is told.

    Use it as an async context manager, or with ``start`` and ``stop``. It belongs to the event loop that started it; so
    do its verbs. For a test that is not async there is `FaultProxyThread`.

        async with FaultProxy("127.0.0.1", hub_port) as proxy:
            node = start_node(proxy.url("ws"))
            proxy.black_hole("down")
            ...
            proxy.mend()

    Each verb changes one fault and leaves the others as they are.

    Args:
        target_host: where connections go.
        target_port: its port.
        host: the address to listen on.
        port: the port to listen on; 0 has the system pick one, see ``port``.
        seed: of the jitter.
    """

    def __init__(
        self, target_host: str, target_port: int, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0
    ) -> None:
        self.host: Final = host
        self._target = (target_host, target_port)
        # Jitter is no secret, and a run is to be repeatable.
        self._chance = random.Random(seed)  # noqa: S311
        self._up = Link()
        self._down = Link()
        self._door = _Door.OPEN
        self._listener = Listener(host, port, self._take)
        self._owned: set[asyncio.Task[None]] = set()
        self._connections: dict[int, ProxiedConnection] = {}
        self._ended_up = self._ended_down = self._ended_swallowed = 0
        self.connections_total = 0
        """How many connections clients have made, also those that came to nothing."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Twice is harmless.

        Raises:
            OSError: the address cannot be had.
        """
        self._listener.occupy()
        if self._door is not _Door.REFUSES:
            self._listener.listen()

    async def stop(self) -> None:
        """Stop listening, reset what is connected, and wait until all of it has ended. Twice is harmless."""
        self._listener.close()
        owned = list(self._owned)
        for task in owned:
            task.cancel()
        await asyncio.gather(*owned, return_exceptions=True)

    # --- what can be seen ---------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port that it listens on, once started; it stays the same whatever is refused."""
        return self._listener.port

    def url(self, scheme: str, path: str = "") -> str:
        """Give the address to dial, such as ``ws://127.0.0.1:40123``."""
        return f"{scheme}://{self.host}:{self.port}{path}"

    @property
    def connections(self) -> tuple[ProxiedConnection, ...]:
        """Those that are open now, oldest first."""
        return tuple(self._connections.values())

    @property
    def bytes_up(self) -> int:
        """How many bytes have gone to the target, over all connections that ever were."""
        return self._ended_up + sum(connection.bytes_up for connection in self._connections.values())

    @property
    def bytes_down(self) -> int:
        """How many bytes have come from the target, over all connections that ever were."""
        return self._ended_down + sum(connection.bytes_down for connection in self._connections.values())

    @property
    def bytes_swallowed(self) -> int:
        """How many bytes black holes have taken, both ways."""
        open_now = self._connections.values()
        return self._ended_swallowed + sum(each.up.swallowed_bytes + each.down.swallowed_bytes for each in open_now)

    def faults(self, direction: Direction) -> LinkFaults:
        """Give what is wrong with one direction; with ``both``, what is wrong with the way up."""
        return (self._down if direction == "down" else self._up).faults

    # --- what can be done ---------------------------------------------------------------------------------------------

    def delay(self, latency_s: float, *, jitter_s: float = 0.0, direction: Direction = "both") -> None:
        """Let everything arrive so much later, give or take the jitter. The order is kept."""
        self._change(direction, latency_s=latency_s, jitter_s=jitter_s)

    def limit(self, bytes_per_s: float | None, *, direction: Direction = "both") -> None:
        """Let so much through per second, on each connection; None for no limit. Past 1 MiB the sender has to wait."""
        self._change(direction, bytes_per_s=bytes_per_s)

    def black_hole(self, direction: Direction = "both") -> None:
        """Read and drop: the sender believes that all is well, and nothing arrives, not even an end.

        A connection that has lost something cannot be mended: ``mend`` resets it.
        """
        self._change(direction, is_black_hole=True)

    def stall(self, direction: Direction = "both") -> None:
        """Move nothing and lose nothing: what was sent waits, until the sender's buffers are full and it waits too."""
        self._change(direction, is_stalled=True)

    def cut_after(self, byte_count: int, *, direction: Direction = "both") -> None:
        """Reset each connection when it has handed on so many bytes: from now on, or from its beginning if it is new.

        With ``both``, the direction that gets there first decides.
        """
        self._change(direction, cut_after_bytes=byte_count)
        self._pass_cut_on(direction, byte_count)

    def close_slowly(self, close_delay_s: float, *, direction: Direction = "both") -> None:
        """Let an end that closes be seen to be closed only so much later."""
        self._change(direction, close_delay_s=close_delay_s)

    def reset(self, number: int | None = None) -> int:
        """Reset (RST) the connection of this number, or all; give how many. Both ends notice within a moment."""
        chosen = [each for each in self._connections.values() if number in {None, each.number}]
        for connection in chosen:
            connection.reset()
        return len(chosen)

    def refuse(self) -> None:
        """Let new connections be refused, as if nobody listened. Those that are open stay."""
        self._door = _Door.REFUSES
        self._listener.refuse()

    def accept_then_close(self) -> None:
        """Take new connections and close them at once. Those that are open stay."""
        self._door = _Door.CLOSES
        self._listener.listen()

    def welcome(self) -> None:
        """Take new connections again, and leave the other faults as they are."""
        self._door = _Door.OPEN
        self._listener.listen()

    def mend(self) -> None:
        """End all faults. Connections that have lost something to a black hole are reset."""
        for link in (self._up, self._down):
            link.faults = LinkFaults()
        self._pass_cut_on("both", None)
        for connection in self._connections.values():
            if connection.has_swallowed:
                connection.reset()
        self.welcome()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _change(self, direction: Direction, **faults: Any) -> None:
        for link in self._links(direction):
            link.faults = replace(link.faults, **faults)

    def _links(self, direction: Direction) -> tuple[Link, ...]:
        links = {"up": (self._up,), "down": (self._down,), "both": (self._up, self._down)}
        try:
            return links[direction]
        except KeyError:
            raise ValueError(f"direction is {direction!r}; it is 'up', 'down' or 'both'") from None

    def _pass_cut_on(self, direction: Direction, byte_count: int | None) -> None:
        for connection in self._connections.values():
            if direction != "down":
                connection.up.cut_after(byte_count)
            if direction != "up":
                connection.down.cut_after(byte_count)

    def _take(self, client: socket.socket) -> None:
        self.connections_total += 1
        # What is passed on has waited long enough on the sender's side.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._door is _Door.CLOSES:
            client.close()
        else:
            self._own(client, self.connections_total)

    def _own(self, client: socket.socket, number: int) -> None:
        task = asyncio.create_task(self._serve(client, number), name=f"fault proxy connection {number}")
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        owned_by(task, client)

    async def _serve(self, client: socket.socket, number: int) -> None:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                target = await _connect(*self._target)
        except (OSError, TimeoutError):
            # As near to a refusal as one can come who has already taken it.
            close(client, is_reset=True)
            return
        connection = ProxiedConnection(number, client, target, up=self._up, down=self._down, chance=self._chance)
        self._connections[number] = connection
        try:
            await connection.carry()
        finally:
            del self._connections[number]
            self._ended_up += connection.bytes_up
            self._ended_down += connection.bytes_down
            self._ended_swallowed += connection.up.swallowed_bytes + connection.down.swallowed_bytes


async def _connect(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure: OSError = ConnectionRefusedError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        target = socket.socket(family, kind, protocol)
        try:
            target.setblocking(False)
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(target, address)
        except OSError as error:
            target.close()
            failure = error
        except BaseException:
            target.close()
            raise
        else:
            return target
    raise failure
