"""Bring a database to the schema of this version: numbered .sql files, each applied once, under the write lock."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from msgspec import Struct

from hub.store.errors import StoreRefusedError
from hub.store.sqlite.connection import damaged, is_outside, refused

# "MOOR": tells our files from other SQLite databases.
APPLICATION_ID: Final = 0x4D4F4F52


class Migration(Struct, frozen=True):
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What proves that the file is the one that was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Give all migrations of this version in order."""
    files = (entry for entry in resources.files("hub.store.sqlite.migrations").iterdir() if entry.name.endswith(".sql"))
    return sorted(
        (Migration(int(file.name[:4]), file.name, file.read_text("utf-8")) for file in files),
        key=lambda migration: migration.number,
    )


def migrate(connection: sqlite3.Connection, path: Path, known: Sequence[Migration] | None = None) -> None:
    """Apply what is missing, all or nothing.

    Raises:
        StoreRefusedError: the file is another program's, from a newer version, was made by a migration that has
            changed since, or is damaged.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _migrate(connection, path, migrations() if known is None else known)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise (refused(path, error) if is_outside(error) else damaged(path, str(error))) from error


def _migrate(connection: sqlite3.Connection, path: Path, known: Sequence[Migration]) -> None:
    _check_owner(connection, path)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at REAL NOT NULL) STRICT"
    )
    applied = connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number").fetchall()
    _check_applied(path, applied, known)
    missing = known[len(applied) :]
    for migration in missing:
        for statement in _statements(migration.sql):
            connection.execute(statement)
        record = (migration.number, migration.name, migration.checksum, time.time())
        connection.execute("INSERT INTO migrations VALUES (?, ?, ?, ?)", record)
    if missing:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and tables:
        raise StoreRefusedError(f"{path} is a database of another program; give the hub a state folder of its own")


def _check_applied(path: Path, applied: Sequence[tuple[int, str, str]], known: Sequence[Migration]) -> None:
    if len(applied) > len(known):
        newest = applied[-1][1]
        raise StoreRefusedError(
            f"{path} is from a newer version of Moorline ({newest}); upgrade this hub, or restore an older backup"
        )
    for (number, name, checksum), migration in zip(applied, known, strict=False):
        if number != migration.number or checksum != migration.checksum:
            raise StoreRefusedError(
                f"{path} was made by another {name} than this version has; install the version that made it"
            )


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
