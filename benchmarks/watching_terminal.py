"""A real `moorline top` on a pseudo-terminal that nobody looks at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from benchmarks.process import ROOT, until

# What is on many screens: forty lines of 120.
LINES: Final = 40
COLUMNS: Final = 120

DRAWS_WITHIN_S: Final = 30.0


class WatchingTerminal:
    """The process, and what it has drawn so far in bytes."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self._screen = screen
        self.drawn_bytes = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def cpu_s(self) -> float:
        """Give the CPU seconds that it has used."""
        used = psutil.Process(self._process.pid).cpu_times()
        return float(used.user + used.system)

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        # Its end of the terminal is closed now, which ends the reader.
        self._reader.join()
        os.close(self._screen)

    def _read(self) -> None:
        # Linux says EIO where the other end is closed.
        with contextlib.suppress(OSError):
            while piece := os.read(self._screen, 65_536):
                self.drawn_bytes += len(piece)


@contextmanager
def watching_terminal(url: str, folder: Path) -> Iterator[WatchingTerminal]:
    """Start it and wait until it draws; end it.

    Raises:
        TimeoutError: it draws nothing in time.
    """
    screen, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    with (folder / "top.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moorline.cli", "top", "--url", url],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=its_end,
            stdout=its_end,
            stderr=log,
        )
    os.close(its_end)
    terminal = WatchingTerminal(process, screen)
    try:
        until(lambda: terminal.drawn_bytes, "a picture on the terminal", DRAWS_WITHIN_S)
        yield terminal
    finally:
        terminal.end()
