"""A file that says how a node is, for probes that can read and not connect: written whole at each change, and again and
again, so that its age tells whether the node still turns. It is removed when the node ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Final

import msgspec

from node.decisions.health import Look, NodeHealth
from node.errors import SettingsError

logger = logging.getLogger(__name__)

# Probes look every ten seconds or so, and take a file for old after half a minute (`moorline health`).
WRITE_EVERY_S: Final = 5.0


class HealthFile:
    """Keeps the file from `start` to `stop`; on the session's loop, the writes on a thread.

    Args:
        path: the file; it is replaced as a whole, so that nobody reads half of it.
        look: looks at the node.
    """

    def __init__(self, path: Path, look: Look) -> None:
        self._path = path
        self._look = look
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._has_failed = False

    async def start(self) -> None:
        """Make sure that it can be written, and begin.

        Raises:
            SettingsError: it cannot be written.
        """
        try:
            await asyncio.to_thread(_try, self._path)
        except OSError as error:
            raise SettingsError("health file", str(self._path), f"a file to be written ({error.strerror})") from error
        self._changed.set()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="health file")

    def changed(self) -> None:
        """Write it soon."""
        self._changed.set()

    async def stop(self) -> None:
        """Remove it. Twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self._writing is not None:
                # A write that has begun would bring the file back.
                await self._writing
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._path.unlink, missing_ok=True)

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._changed.wait()
            self._changed.clear()
            self._writing = asyncio.get_running_loop().create_task(self._write())
            await asyncio.shield(self._writing)

    async def _write(self) -> None:
        health = self._look()
        if health is None:
            return
        try:
            await asyncio.to_thread(write, self._path, health)
            self._has_failed = False
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                logger.warning("the health file %s cannot be written: %s", self._path, error.strerror)


def write(path: Path, health: NodeHealth) -> None:
    """Replace the file. Not synced: after a power cut nobody asks for it. Raises OSError."""
    fresh = _beside(path)
    fresh.write_bytes(msgspec.json.encode(health) + b"\n")
    fresh.replace(path)


def _try(path: Path) -> None:
    fresh = _beside(path)
    fresh.touch()
    fresh.unlink()
    # What an earlier process left there says nothing of this one.
    path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")
