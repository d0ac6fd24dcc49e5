"""Programs that run for a while: started in a group of their own, their words kept in files, ended by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.environments import ROOT

# Time for a program to leave by itself before it is killed.
LEAVES_WITHIN_S: Final = 10.0

# How much of a program's last words a report repeats.
WORDS_MAX: Final = 600


class ProgramError(Exception):
    """A program ended too early, took too long, or printed what cannot be read; the text says which, and its words."""


class Program:
    """One program and the processes that it starts."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.output = folder / f"{name}.out"
        self._log = folder / f"{name}.log"
        with self.output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def has_ended(self) -> bool:
        """Tell whether it has ended by itself."""
        return self._process.poll() is not None

    def words(self) -> str:
        """Give the end of what it said on standard error."""
        return self._log.read_text(errors="replace").strip()[-WORDS_MAX:]

    def must_run(self) -> None:
        """Raise `ProgramError` if it has ended."""
        if self.has_ended:
            raise ProgramError(f"{self.name} ended with status {self._process.returncode}: {self.words()}")

    def finish(self, within_s: float, beside: Sequence[Program] = ()) -> None:
        """Wait for its good end, while the programs beside it go on.

        Raises:
            ProgramError: It ended badly or not in time, or one of the others ended.
        """
        deadline = time.monotonic() + within_s
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(0.1)
                break
            for program in beside:
                program.must_run()
            if time.monotonic() > deadline:
                raise ProgramError(f"{self.name} took more than {within_s:.0f} s: {self.words()}")
        if status != 0:
            raise ProgramError(f"{self.name} ended with status {status}: {self.words()}")

    def end(self) -> None:
        """End it, politely at first, and what is left of its group."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(LEAVES_WITHIN_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # The group has the id of the process that was started, and is gone with its last member.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run a program in the background, for as long as this is entered."""
    program = Program(name, command, folder, environment)
    try:
        yield program
    finally:
        program.end()


def free_port() -> int:
    """Give a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, program: Program, within_s: float = 30.0) -> None:
    """Wait until somebody listens.

    Raises:
        ProgramError: The program ended, or nobody listened in time.
    """
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        program.must_run()
        if time.monotonic() > deadline:
            raise ProgramError(f"{program.name} did not listen within {within_s:.0f} s: {program.words()}")
        time.sleep(0.02)
