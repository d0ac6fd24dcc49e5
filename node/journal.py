"""The outbox's file: an SQLite database in WAL mode with the results that no hub has acknowledged.

With ``synchronous=NORMAL`` a commit is safe from the death of the process at once, and from a power cut at the next
checkpoint. That is enough: a result that a power cut took is an attempt that died with its machine, which the hub frees
and runs again by policy. Safety from power cuts for each result would cost an fsync each on the node's slowest part.

Where a result stands in the file is remembered, so that the file needs no index and forgetting no search: each result
is written and deleted once, and both are a step at one end of a table.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from node.errors import OutboxError
from protocol.codec import encode, node_frames_decoder
from protocol.errors import ProtocolError
from protocol.frames import AttemptKey, Result
from protocol.logs import fields

logger = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 2

# How long another process (a backup, a person with a shell) may hold the database before a write counts as failed.
BUSY_S_MAX: Final = 2.0

# Of a new file; one that is there keeps its own. Each page is written with two system calls and a checksum: against
# 4 KiB the node spends a third less on a task that gives 64 KiB back, and 7 µs more on one that gives a number.
PAGE_BYTES: Final = 16 * 1024

# The log is copied into the file, synced, when it has grown by this: SQLite's own measure, which is in pages of 4 KiB.
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024

# Results that one statement inserts, largest first: each step of SQLite gives up the interpreter and waits to get it
# back, so many small ones cost more than their work.
_ROWS: Final = (64, 8, 1)

_SCHEMA: Final = """
CREATE TABLE journal (
    position INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    ended_at REAL NOT NULL,
    frame BLOB NOT NULL
)
"""
_FROM_VERSION_1: Final = (
    "INSERT INTO journal SELECT position, task_id, attempt, ended_at, frame FROM results",
    "DROP TABLE results",
)

_Row = tuple[int, str, int, float, bytearray]


class Entry(NamedTuple):
    """A result, and the wall-clock time at which its attempt ended: the only clock that outlives the process."""

    result: Result
    ended_at: float

    @property
    def key(self) -> AttemptKey:
        """Which attempt."""
        return (self.result.task_id, self.result.attempt)


class Journal:
    """The file, open from construction until `close`. Any one thread at a time.

    Raises:
        OutboxError: the file cannot be opened, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._database = _open(path)
        rows = self._database.execute("SELECT position, task_id, attempt FROM journal ORDER BY position")
        self._places: dict[AttemptKey, int] = {(task_id, attempt): position for position, task_id, attempt in rows}
        self._last_position = max(self._places.values(), default=0)

    def load(self) -> list[Entry]:
        """Give what is stored, in the order in which it was."""
        decoder = node_frames_decoder()
        entries: list[Entry] = []
        rows = self._database.execute("SELECT task_id, attempt, ended_at, frame FROM journal ORDER BY position")
        for task_id, attempt, ended_at, frame in rows:
            try:
                (result,) = decoder.decode(frame)
            except (ProtocolError, ValueError) as error:
                logger.error(
                    "the outbox holds a result that cannot be read: task %s/%d: %s",
                    task_id,
                    attempt,
                    error,
                    extra=fields(task_id=task_id, attempt=attempt),
                )
                continue
            if isinstance(result, Result):
                entries.append(Entry(result, ended_at))
        return entries

    def commit(self, entries: Iterable[Entry], forgotten: Iterable[AttemptKey]) -> None:
        """Delete and insert in one transaction. What is inserted takes the place of an entry with its key.

        Raises:
            sqlite3.Error: the disk does not take it; nothing has changed.
        """
        places = self._places
        rows: list[_Row] = []
        gone = [places[key] for key in forgotten if key in places]
        position = self._last_position
        for entry in entries:
            task_id, attempt = key = entry.key
            position += 1
            rows.append((position, task_id, attempt, entry.ended_at, bytearray(encode(entry.result))))
            if key in places:
                gone.append(places[key])
        self._write(rows, gone)
        self._last_position = position
        for key in forgotten:
            places.pop(key, None)
        for row in rows:
            places[row[1], row[2]] = row[0]

    def close(self) -> None:
        """Close the file. Twice is harmless."""
        self._database.close()

    def _write(self, rows: Sequence[_Row], gone: Sequence[int]) -> None:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            if gone:
                statement = "DELETE FROM journal WHERE position IN (SELECT value FROM json_each(?))"
                database.execute(statement, (orjson.dumps(gone).decode(),))
            start = 0
            for size in _ROWS:
                while len(rows) - start >= size:
                    some = rows[start : start + size]
                    database.execute(_insert_statement(size), tuple(chain.from_iterable(some)))
                    start += size
            database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                if database.in_transaction:
                    database.execute("ROLLBACK")
            raise


@cache
def _insert_statement(count: int) -> str:
    return f"INSERT INTO journal VALUES {', '.join(['(?, ?, ?, ?, ?)'] * count)}"  # noqa: S608 - marks only


# --- opening ----------------------------------------------------------------------------------------------------------


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.OperationalError as error:
        raise OutboxError(f"the outbox {path} cannot be opened ({error}); free its disk or check its owner") from error
    except sqlite3.DatabaseError as error:
        return _open_anew(path, error)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox {path} has version {version}, and this node knows up to {SCHEMA_VERSION}; upgrade the node"
            )
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // PAGE_BYTES}")
        database.execute("PRAGMA synchronous = NORMAL")
        damage = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        if version < SCHEMA_VERSION:
            _upgrade(database, version)
    except BaseException:
        database.close()
        raise
    return database


def _upgrade(database: sqlite3.Connection, version: int) -> None:
    """Make the table, with what an earlier version stored. A crash in between leaves the file as it was."""
    database.execute("BEGIN IMMEDIATE")
    database.execute(_SCHEMA)
    for statement in _FROM_VERSION_1 if version == 1 else ():
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _open_anew(path: Path, error: sqlite3.DatabaseError) -> sqlite3.Connection:
    """Put a damaged file aside and begin a new one. Its attempts are then such that died with their machine."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    logger.error("the outbox %s is damaged (%s); it is kept as %s, and a new one begun", path, error, aside)
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    try:
        return _connect(path)
    except sqlite3.Error as second:
        raise OutboxError(f"the outbox {path} cannot be made ({second}); check its folder") from second
