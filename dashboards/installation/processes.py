"""Processes of our own: started with what they say in a file, waited for, and ended by their process id."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from moorline.dying_together import end_with_parent

# A process that was asked to end and did not within this long is killed.
STOP_WITHIN_S = 5.0
# SIGKILL takes effect at once, but for a process that hangs in the kernel.
KILL_WITHIN_S = 5.0
# The last words that are worth showing.
LAST_WORDS_MAX = 15
# No line of a log is longer in earnest; a longer one is cut in two.
LINE_BYTES_MAX = 64 * 1024


class ProcessDiedError(Exception):
    """A process ended although it should go on; its last words say why."""

    def __init__(self, name: str, status: int | None, last_words: str) -> None:
        super().__init__(name, status, last_words)
        self.name = name
        self.status = status
        self.last_words = last_words

    def __str__(self) -> str:
        return f"{self.name} ended with status {self.status}; its last words:\n{self.last_words}"


class ProcessTooSlowError(Exception):
    """A process did not say what was waited for."""

    def __init__(self, name: str, awaited: str, within_s: float, last_words: str) -> None:
        super().__init__(name, awaited, within_s, last_words)
        self.name = name
        self.awaited = awaited
        self.within_s = within_s
        self.last_words = last_words

    def __str__(self) -> str:
        return (
            f"{self.name} did not say {self.awaited!r} within {self.within_s:g} s; its last words:\n{self.last_words}"
        )


class ManagedProcess:
    """One process at a time; it may be started again when it has ended. What it says goes to ``log_path``, appended.

    It gets a session of its own, so that Ctrl-C in the terminal reaches the command alone, which then ends it in order.
    If the command is killed, or the thread ends that started it, it is killed too (on Linux).
    """

    def __init__(
        self, name: str, argv: Sequence[str], *, folder: Path, log_path: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._folder = folder
        self._log_path = log_path
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._log_start_bytes = 0

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended yet."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; returns as soon as it exists."""
        with self._log_path.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                # Nothing else would: it may stand still at this moment, and then heeds no other signal.
                preexec_fn=end_with_parent(signal.SIGKILL),
            )

    async def wait_for_words(self, words: str, within_s: float) -> None:
        """Wait until it has said something, since its start.

        Raises:
            ProcessDiedError: it ended before.
            ProcessTooSlowError: it did not, within the time.
        """
        try:
            async with asyncio.timeout(within_s):
                while words not in self._said():
                    self.check_alive()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ProcessTooSlowError(self.name, words, within_s, self.last_words()) from None

    def check_alive(self) -> None:
        """Make sure that it runs.

        Raises:
            ProcessDiedError: it has ended.
        """
        if not self.is_running:
            status = self._process.returncode if self._process else None
            raise ProcessDiedError(self.name, status, self.last_words())

    async def kill(self) -> float:
        """Kill it with SIGKILL, and give the time (seconds since 1970) at which it was certainly dead."""
        await self._end(signal.SIGKILL, KILL_WITHIN_S)
        return time.time()

    def kill_now(self) -> None:
        """Kill it without waiting, from code that cannot wait. Harmless if it has ended."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Ask it to end with SIGTERM, and kill it if it takes longer than that. Twice is harmless."""
        if not await self._end(signal.SIGTERM, within_s):
            await self.kill()

    def last_words(self) -> str:
        """Give the end of what it said."""
        return "\n".join(self._said().splitlines()[-LAST_WORDS_MAX:])

    async def _end(self, number: signal.Signals, within_s: float) -> bool:
        """Send a signal, wait, and tell whether it is gone."""
        if self._process is None or self._process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    def _said(self) -> str:
        try:
            with self._log_path.open("rb") as log:
                log.seek(self._log_start_bytes)
                return log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""


@contextlib.contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Give ports on loopback that nobody uses, all different, and hold them until the exit.

    Each is held by a socket that does not listen. The system then gives it to no one who asks for any port, nor to a
    connection that goes out, while a hub is killed and away; the hub asks for this very one and may listen on it again.
    """
    with contextlib.ExitStack() as held:
        holders = [held.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
        yield [int(holder.getsockname()[1]) for holder in holders]
