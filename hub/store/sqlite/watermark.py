"""The number of the last commit, kept outside the database: what was answered must still be there.

SQLite drops a damaged or missing write-ahead log without a word and goes on with an older database. Tasks that were
accepted would be gone, and nobody would know. So each commit is numbered, the number is also written to a file beside
the database (8 bytes into the page cache, 2 us), and a database that is older than the file says is refused at start.

The file may lag behind (a kill between the two writes, a crash of the machine): that proves nothing. It may be ahead
honestly in one case: with durability `normal` a crash of the machine may take the last commits, so a mark from before
the last boot says nothing then.
"""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path
from typing import Final

from hub.store.errors import StoreRefusedError
from hub.store.sqlite.connection import Durability

_logger = logging.getLogger(__name__)

_RECORD: Final = struct.Struct("<8sQ?36s")
_MAGIC: Final = b"moormark"
_NUMBER_OFFSET: Final = 8
_NUMBER: Final = struct.Struct("<Q")


class Watermark:
    """The file beside one database. Call `check` before the first `note`."""

    def __init__(self, database: Path, durability: Durability) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}-mark")
        self._is_full = durability == "full"
        self._file: int | None = None

    def check(self, commits: int) -> None:
        """Compare the database's last commit with the mark, and begin to keep it.

        Raises:
            StoreRefusedError: commits are missing, or the file cannot be written.
        """
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            marked = self._marked(self._file)
            if marked > commits:
                raise self._older(commits, marked)
            os.pwrite(self._file, _RECORD.pack(_MAGIC, commits, self._is_full, _boot_id()), 0)
        except OSError as error:
            self.close()
            message = f"{self._path} cannot be written: {error.strerror}; the hub needs it beside its database"
            raise StoreRefusedError(message) from error
        except StoreRefusedError:
            self.close()
            raise

    def note(self, commits: int) -> None:
        """Note a commit that has been made. Within a page that is there already, so a full disk does not matter.

        A mark that cannot be written stays behind, which proves nothing and harms nothing: it is given up.
        """
        if self._file is None:
            return
        try:
            os.pwrite(self._file, _NUMBER.pack(commits), _NUMBER_OFFSET)
        except OSError as error:
            _logger.warning("%s is kept no longer: %s", self._path, error.strerror)
            self.close()

    def close(self) -> None:
        """Let go of the file; twice is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _older(self, commits: int, marked: int) -> StoreRefusedError:
        mark = self._path.name
        return StoreRefusedError(
            f"{self._database} is older than what was answered: its last commit is {commits}, {mark} says {marked}."
            " Its -wal file was removed or damaged, or a backup was restored. Put the -wal file back; or, if you accept"
            f" that {marked - commits} commits are lost, delete {mark}"
        )

    def _marked(self, file: int) -> int:
        record = os.pread(file, _RECORD.size, 0)
        if len(record) < _RECORD.size:
            return 0
        magic, number, was_full, boot_id = _RECORD.unpack(record)
        if magic != _MAGIC or (not was_full and boot_id != _boot_id()):
            return 0
        return int(number)


def _boot_id() -> bytes:
    """Give what is new with each start of the machine; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()[:36]
    except OSError:
        return b""
