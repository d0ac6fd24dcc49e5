"""The picture on the hub's own terminal: a dashboard in a process beside the hub, and the log kept aside meanwhile.

A process of its own, because the picture must neither slow the hub's loop down nor leave the terminal in disorder when
the hub is killed; and because the hub knows no dashboard: it runs the command `moorline top`, as anybody would. See
`docs/decisions/0024-the-picture-is-a-process-beside-the-hub.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

logger = logging.getLogger(__name__)

LOG_NAME: Final = "hub.log"

# Some hundred thousand lines. A log that grows beyond it while the picture is shown begins anew.
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
LOG_LOOKED_AT_EVERY_S: Final = 10.0

# How many lines of it are shown when the picture has gone.
TAIL_LINES: Final = 12
TAIL_BYTES: Final = 16 * 1024

# A dashboard that was asked to end gives the terminal back within milliseconds.
ENDS_WITHIN_S: Final = 2.0

# What gives back a terminal whose dashboard was killed: the first screen, a cursor, wrapping, no brackets around what
# is pasted.
_GIVE_BACK: Final = "\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"


def is_here() -> bool:
    """Tell whether somebody sits at this process's terminal, and it can do more than print."""
    # The descriptors themselves: what tests and embedders put in the place of sys.stdout is no terminal.
    if os.name != "posix" or not all(os.isatty(number) for number in (0, 1, 2)):
        return False
    return _is_in_foreground() and os.environ.get("TERM", "dumb") != "dumb"


def _is_in_foreground() -> bool:
    """Tell whether the terminal is ours. In the background whoever touches it is stopped, and the hub with it."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def address(host: str, port: int) -> str:
    """Give where this machine reaches what listens on ``host``."""
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(host)
        if parsed.is_unspecified:
            host = "127.0.0.1" if parsed.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class OwnTerminal:
    """Shows the dashboard between start and stop, if it can; the hub goes on whatever becomes of it.

    Args:
        folder: where the log goes while the picture is shown.
        program: the command before its options.
    """

    def __init__(self, folder: Path, program: Sequence[str] = (sys.executable, "-m", "moorline.cli", "top")) -> None:
        self._log = folder / LOG_NAME
        self._program = program
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stderr: int | None = None
        self._modes: list[Any] = []

    async def start(self, url: str, secret: str) -> None:
        """Show the dashboard of the hub at ``url``, which knows it by this secret."""
        import termios  # noqa: PLC0415  # POSIX only

        try:
            self._modes = termios.tcgetattr(0)
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        except (OSError, termios.error) as error:
            logger.warning("the picture cannot be shown: %s", error)
            return
        try:
            # Of a checkout that is not installed, the packages are where the hub was found.
            path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
            self._process = await asyncio.create_subprocess_exec(
                *self._program, "--url", url, "--beside-hub", str(os.getpid()),
                stderr=log,
                env={**os.environ, "MOORLINE_TOKEN": secret, "PYTHONPATH": path},
            )  # fmt: skip
            sys.stderr.flush()
            self._stderr = os.dup(2)
            os.dup2(log, 2)
        except OSError as error:
            logger.warning("the picture cannot be shown: %s", error)
            return
        finally:
            os.close(log)
        self._watching = asyncio.get_running_loop().create_task(self._watch(self._process), name="own terminal")

    async def stop(self) -> None:
        """End the dashboard and give the terminal back; twice is harmless."""
        watching, self._watching = self._watching, None
        process = self._process
        if watching is None or process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await watching
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            self._give_back(-signal.SIGKILL)

    async def _watch(self, process: Process) -> None:
        """Wait until the dashboard has ended, however; keep the log within its bound meanwhile."""
        ending = asyncio.ensure_future(process.wait())
        while not ending.done():
            await asyncio.wait([ending], timeout=LOG_LOOKED_AT_EVERY_S)
            with contextlib.suppress(OSError):
                if self._log.stat().st_size > LOG_BYTES_MAX:
                    os.truncate(self._log, 0)
        self._give_back(ending.result())
        if self._watching is not None:
            status = ending.result()
            why = "is closed" if status == 0 else f"has ended with status {status}"
            _say(f"The picture {why}; the hub goes on. Ctrl-C ends it.")

    def _give_back(self, status: int) -> None:
        """Let words go to the terminal again, and show the last of those that were kept aside."""
        import termios  # noqa: PLC0415  # see `start`

        stderr, self._stderr = self._stderr, None
        if stderr is None:
            return
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        # One that ended by itself has given the terminal back; of one that was killed, this does.
        if status < 0 and _is_in_foreground():
            with contextlib.suppress(OSError, termios.error):
                os.write(1, _GIVE_BACK.encode())
                termios.tcsetattr(0, termios.TCSADRAIN, self._modes)
        lines = self._tail()
        if lines:
            _say(f"Logged meanwhile, in {self._log}:", *lines)

    def _tail(self) -> list[str]:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [line for line in lines if line.strip()][-TAIL_LINES:]


def _say(*lines: str) -> None:
    """Write to the terminal; one that is gone, because its window was closed, is no fault of the hub's."""
    with contextlib.suppress(OSError):
        print(*lines, sep="\n", file=sys.stderr, flush=True)
