"""A service manager that listens, as systemd does."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE_S = 40.0


class Manager:
    """Its socket, and what it was told, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def listen(self) -> list[dict[str, str]]:
        """Take what has come; give all that was told so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self._socket.recv(65536).decode()
                self.told.append(dict(line.split("=", 1) for line in text.splitlines()))
        return self.told

    def all_of(self, name: str) -> list[str]:
        """Give every value that was told under a name."""
        return [told[name] for told in self.listen() if name in told]

    def wait_for(self, fact: Callable[[], object], what: str) -> None:
        """Wait for a fact about what was told."""
        deadline = time.monotonic() + PATIENCE_S
        while not fact():
            assert time.monotonic() < deadline, f"not told in time: {what}; told: {self.told}"
            time.sleep(0.02)

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def manager(folder: Path) -> Iterator[Manager]:
    listening = Manager(folder / "notify")
    try:
        yield listening
    finally:
        listening.close()
