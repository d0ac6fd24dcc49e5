"""Where a server on loopback takes its connections: a place that stays its own whether it listens there or not.

It is not an `asyncio.Server`. That one leaves connections open that it has accepted and not begun to serve when it is
closed, and cannot refuse for a while. Here whoever is accepted is handed on within the same step of the event loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

# As many as a whole fleet dials at once; past it the kernel answers no more until some were taken.
BACKLOG: Final = 1024
# What is taken at one turn of the loop, so that a storm does not keep the others from theirs.
ACCEPTED_AT_ONCE: Final = 64
# A process that has no descriptors left gets some when connections end; asking at each turn of the loop brings none.
NO_DESCRIPTORS_PAUSE_S: Final = 0.2


class Listener:
    """One address. It belongs to the event loop in which it listens.

    Args:
        host: the address to listen on.
        port: its port; 0 has the system pick one.
        take: is given each connection as a socket that does not block, and owns it from then on. It must not raise.
    """

    def __init__(self, host: str, port: int, take: Callable[[socket.socket], None]) -> None:
        self.host: Final = host
        self._port = port
        self._take = take
        self._place: socket.socket | None = None
        self._listening: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port, once it has its place; it stays the same whatever is refused."""
        return self._port

    @property
    def has_place(self) -> bool:
        """Whether the port is its own."""
        return self._place is not None

    def occupy(self) -> None:
        """Make the port its own; connections are refused until it listens. Twice is harmless.

        Raises:
            OSError: the address cannot be had.
        """
        if self._place is None:
            # Bound but not listening: keeps the port ours while new connections are refused.
            self._place = _bind(self.host, self._port)
            self._port = self._place.getsockname()[1]

    def listen(self) -> None:
        """Take connections, if it has its place. Twice is harmless.

        Raises:
            OSError: the process has no descriptors left.
        """
        if self._place is None or self._listening is not None:
            return
        self._listening = _bind(self.host, self._port)
        self._listening.listen(BACKLOG)
        self._await_clients(self._listening)

    def refuse(self) -> None:
        """Have new connections refused; those that wait to be accepted are reset. Twice is harmless."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.fileno())
            self._listening.close()
            self._listening = None

    def close(self) -> None:
        """Refuse, and give up the place. Twice is harmless."""
        self.refuse()
        if self._place is not None:
            self._place.close()
            self._place = None

    def _await_clients(self, listening: socket.socket) -> None:
        # It may have been closed since this was asked for.
        if listening is self._listening:
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, _ = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                # It may be readable for one who left again.
                return
            except OSError:
                self._pause(listening)
                return
            client.setblocking(False)
            self._take(client)
            if listening is not self._listening:
                return

    def _pause(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening.fileno())
        loop.call_later(NO_DESCRIPTORS_PAUSE_S, self._await_clients, listening)


def owned_by(task: asyncio.Task[None], client: socket.socket) -> None:
    """Close a socket when its task is done: a task that is cancelled before its first step closes nothing itself."""
    task.add_done_callback(lambda _: client.close())


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # Lets the one that listens stand beside the one that keeps the place.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
