"""A program on a terminal of its own: what it shows as a person would see it, and keys as a person would press them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

ROOT = Path(__file__).parents[1]

# Generous: these machines are shared. Nothing waits this long unless it has failed.
PATIENCE_S = 40.0

READ_BYTES = 65536


class PseudoTerminal:
    """One program on a pseudo-terminal. The program leads a session, as a shell's would."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        """Everything that was written, as it came."""
        self._descriptors: tuple[int, ...] = pty.openpty()
        self._master, self._slave = self._descriptors
        self.resize(width, height)
        self.modes: list[Any] = termios.tcgetattr(self._slave)
        """What the terminal was like before the program began."""
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # one call into the kernel
        )

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def press(self, keys: str | bytes) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def modes_now(self) -> list[Any]:
        return termios.tcgetattr(self._slave)

    def read(self, within_s: float = 0.05) -> None:
        """Take what was written, up to now or until something comes."""
        if select.select([self._master], [], [], within_s)[0]:
            with contextlib.suppress(OSError):
                piece = os.read(self._master, READ_BYTES)
                self.written += piece
                # pyte knows no second screen: going there and coming back only clears it.
                for mark in (b"\x1b[?1049h", b"\x1b[?1049l"):
                    piece = piece.replace(mark, b"\x1b[2J\x1b[H")
                self._stream.feed(piece)

    def wait_for(self, *texts: str, without: str = "\0") -> str:
        """Wait until all of these are to be seen, and the other is not."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not all(text in self.text for text in texts) or without in self.text:
            assert time.monotonic() < deadline_s, f"never seen: {texts} without {without!r}\n{self.text}"
            assert self.process.poll() is None, f"ended before {texts} was seen\n{self.text}"
            self.read()
        return self.text

    def wait(self) -> int:
        """Wait for the end of the program; give its status."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, f"it does not end\n{self.text}"
            self.read()
        while select.select([self._master], [], [], 0)[0]:
            self.read()
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the window; twice is harmless."""
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()


@contextlib.contextmanager
def on_terminal(
    *command: str, width: int = 80, height: int = 24, environment: Mapping[str, str] | None = None
) -> Iterator[PseudoTerminal]:
    """Run a program on a terminal; it is ended in the end, whatever happens."""
    terminal = PseudoTerminal(command, environment or {}, width, height)
    try:
        yield terminal
    finally:
        terminal.close()
