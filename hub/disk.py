"""How much room the hub's disk has: looked at from time to time, on another thread, since a disk may not answer."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Final

from msgspec import Struct

logger = logging.getLogger(__name__)

# A full disk is seldom filled in seconds, and a look is one call of the system.
LOOK_EVERY_S: Final = 5.0

# Below this a hub is not ready: one batch of large payloads with its log is half of it.
FREE_BYTES_MIN: Final = 64 * 1024 * 1024


class DiskSpace(Struct, frozen=True, kw_only=True):
    """The file system that holds the state folder, and how much of it the database takes, its log included."""

    free_bytes: int
    total_bytes: int
    database_bytes: int

    @property
    def is_short(self) -> bool:
        """Whether commits will soon fail."""
        return self.free_bytes < FREE_BYTES_MIN


def look(database: Path) -> DiskSpace:
    """Look once. Blocks; raises OSError where the disk cannot be asked."""
    usage = shutil.disk_usage(database.parent)
    files = (database.with_name(database.name + suffix) for suffix in ("", "-wal"))
    return DiskSpace(
        free_bytes=usage.free,
        total_bytes=usage.total,
        database_bytes=sum(file.stat().st_size for file in files if file.exists()),
    )


class DiskWatch:
    """Looks again and again. `start` returns when it has looked once; `stop` may be called twice."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self.space: DiskSpace | None = None
        """What was found; None where the disk could not be asked."""

    async def start(self) -> None:
        """Look, and go on looking on the running loop."""
        if self._task is None:
            await self._look()
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="disk watch")

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        try:
            self.space = await asyncio.to_thread(look, self._database)
        except OSError as error:
            self.space = None
            logger.debug("the disk of %s cannot be asked: %s", self._database, error)
