"""One process of a measurement: started, watched and ended by its id; what it costs is read from the system."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).parents[1]

# How often a fact is looked at: often enough for figures in seconds, seldom enough to cost nothing.
LOOK_EVERY_S: Final = 0.005

# As much of what a process said as helps to see why it ended.
SAID_CHARACTERS_MAX: Final = 2000

KIB: Final = 1024


def until(fact: Callable[[], object], what: str, within_s: float) -> float:
    """Wait for a fact; give the time (`time.monotonic`) at which it was seen.

    Raises:
        TimeoutError: it did not come true in time.
    """
    deadline_s = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(LOOK_EVERY_S)
    return time.monotonic()


class Process:
    """A Python process with its output in files of its own; may be started again after its end.

    Args:
        name: what it is; its output is kept in ``folder/name.out`` and ``folder/name.log``.
        folder: where its output goes.
        arguments: what follows the interpreter's name.
    """

    def __init__(self, name: str, folder: Path, arguments: Sequence[str]) -> None:
        self.name = name
        self._output = folder / f"{name}.out"
        self._log = folder / f"{name}.log"
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *further: str) -> float:
        """Start it, with further arguments for this time; give the time (`time.monotonic`) just before."""
        begun_s = time.monotonic()
        with self._output.open("ab") as output, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments, *further],
                cwd=ROOT,
                env={**os.environ, "MOORLINE_LOG_LEVEL": "WARNING"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )
        return begun_s

    def kill(self) -> float:
        """End it with SIGKILL and wait for its end; give the time just before. Twice is harmless."""
        killed_s = time.monotonic()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
        return killed_s

    @property
    def pid(self) -> int:
        """Its id. Raises RuntimeError if it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def lines(self) -> list[bytes]:
        """Give the whole lines that it has printed since it was first started."""
        return self._output.read_bytes().split(b"\n")[:-1]

    def wait_for(self, fact: Callable[[], object], what: str, within_s: float) -> float:
        """Wait for a fact that this process is to bring about; give the time at which it was seen.

        Raises:
            RuntimeError: it ended, or the fact did not come true in time; the error says what the process said.
        """

        def look() -> object:
            self._check_alive()
            return fact()

        try:
            return until(look, what, within_s)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self._said()}") from error

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended:\n{self._said()}")

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-SAID_CHARACTERS_MAX:]

    # --- what it costs ------------------------------------------------------------------------------------------------

    def cpu_s(self) -> float:
        """Give the CPU seconds that it has used since it was last started, in the kernel too."""
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def memory_kib(self) -> float:
        """Give its share of the memory (PSS): pages that several processes share count in parts."""
        return float(psutil.Process(self.pid).memory_full_info().pss) / KIB
