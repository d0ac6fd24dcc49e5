"""Connections to the database file, and what SQLite's errors mean to the hub."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias

from hub.store.errors import StoreRefusedError, StoreUnavailableError

Durability: TypeAlias = Literal["full", "normal"]

# How long a commit waits for another process (the command line adding a token, a backup) before the hub counts as
# degraded.
BUSY_TIMEOUT_MS: Final = 5_000

# Pages kept in memory. A hub with a million queued tasks may use 300 MiB in all; the inner pages of all its indexes and
# the ends where tasks come and go fit into a fifth of that.
WRITER_CACHE_KIB: Final = 48 * 1024
READER_CACHE_KIB: Final = 16 * 1024

# Of a new database; one that is there keeps its own. Each page is written with two system calls and a checksum, so a
# payload of 64 KiB wants large ones, and the small rows of a task alone want small ones, for a commit writes some eight
# pages whole. Against 4 KiB: the hub spends 11 % less on a task of 64 KiB, and 0.03 ms more on a small one that comes
# alone. 16 KiB: 22 % less, and 0.1 ms more.
PAGE_BYTES: Final = 8 * 1024

# The log is copied into the database when it has grown by this. With batches of 100 random ids and pages of 4 KiB,
# 4 MiB took 5.8 s and at most 19 ms a commit, 16 MiB 4.7 s and 22 ms, 64 MiB 3.7 s and 34 ms.
CHECKPOINT_BYTES: Final = 16 * 1024 * 1024

# Each statement of this package is prepared once: some eighty, four sizes of those that carry many rows.
STATEMENTS_MAX: Final = 512

# Causes that lie outside of the program: nothing happened, and the same may work later.
_OUTSIDE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def connect_writer(path: Path, durability: Durability) -> sqlite3.Connection:
    """Open the connection that writes; the file is made if it is not there.

    Raises:
        StoreRefusedError: the file cannot be opened, or is no SQLite database.
    """
    connection = _connect(path.as_uri() if path.is_absolute() else path.absolute().as_uri())
    try:
        _execute_all(
            connection,
            f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
            f"PRAGMA page_size = {PAGE_BYTES}",
            "PRAGMA journal_mode = WAL",
            f"PRAGMA synchronous = {durability}",
            f"PRAGMA cache_size = -{WRITER_CACHE_KIB}",
            f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // PAGE_BYTES}",
            "PRAGMA temp_store = MEMORY",
        )
    except sqlite3.Error as error:
        connection.close()
        raise refused(path, error) from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write. Raises StoreRefusedError if it cannot be read."""
    connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
    try:
        _execute_all(
            connection,
            f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
            "PRAGMA query_only = 1",
            f"PRAGMA cache_size = -{READER_CACHE_KIB}",
            "PRAGMA temp_store = MEMORY",
        )
    except sqlite3.Error as error:
        connection.close()
        raise refused(path, error) from error
    return connection


@contextlib.contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let all statements inside see the database as it was at the first of them."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        # After some errors SQLite has ended it by itself.
        if connection.in_transaction:
            connection.execute("COMMIT")


def is_outside(error: sqlite3.Error) -> bool:
    """Tell whether an error comes from the disk or another process, and not from the statement."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _OUTSIDE


def unavailable(error: sqlite3.Error) -> StoreUnavailableError:
    """Say what is in the way of commits."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreUnavailableError(f"the database is damaged ({error}); stop the hub and restore a backup")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailableError(f"no space for the database ({error}); free some, the hub goes on by itself")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreUnavailableError(f"another process has kept the database locked for {BUSY_TIMEOUT_MS} ms")
    return StoreUnavailableError(f"the database takes no commits ({error})")


def refused(path: Path, error: sqlite3.Error) -> StoreRefusedError:
    """Say why this file cannot be served from."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return damaged(path, str(error))
    return StoreRefusedError(f"{path} cannot be opened: {error}; check that its folder exists and may be written to")


def damaged(path: Path, what: str) -> StoreRefusedError:
    """Say that this file is damaged, and what to do."""
    return StoreRefusedError(f"{path} is damaged: {what}; restore a backup, or move it away to begin with an empty one")


def _connect(uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_MAX,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )
    except sqlite3.Error as error:
        where = uri.removeprefix("file://").removesuffix("?mode=ro")
        raise refused(Path(where), error) from error


def _execute_all(connection: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement).fetchall()
