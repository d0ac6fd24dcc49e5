"""One hub per database: an exclusive lock on a file beside it, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hub.store.errors import StoreRefusedError


class DatabaseLock:
    """Hold the lock of a database. The file names the holder's pid for people; the lock itself is the kernel's.

    Raises:
        StoreRefusedError: another process holds it, or the file cannot be made.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(f"{database.name}-lock")
        try:
            self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{path} cannot be opened: {error.strerror}; check that its folder exists and may be written to"
            raise StoreRefusedError(message) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            message = (
                f"{database} is in use by another hub (pid {holder}); stop it, or give this hub its own state folder"
            )
            raise StoreRefusedError(message) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; twice is harmless. The file stays: removing it would let two processes lock two files of one name."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
