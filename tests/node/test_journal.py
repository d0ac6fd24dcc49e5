"""The outbox's file alone: what it holds after each commit, and what it takes over from an earlier version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from node.journal import Entry, Journal
from protocol.codec import encode
from protocol.frames import Result


def entry(task_id: str, value: bytes = b"1") -> Entry:
    return Entry(Result(task_id=task_id, attempt=1, outcome="succeeded", value=Raw(value)), 100.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "outbox.db")
    yield opened
    opened.close()


def reopened(journal: Journal, path: Path) -> list[str]:
    journal.close()
    again = Journal(path / "outbox.db")
    try:
        return [item.result.task_id for item in again.load()]
    finally:
        again.close()


def test_hundreds_are_kept_in_their_order_and_forgotten_one_by_one(journal: Journal, tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(203)]
    journal.commit([entry(name) for name in names], [])
    journal.commit([entry("last")], [(name, 1) for name in names[::2]])
    assert reopened(journal, tmp_path) == [*names[1::2], "last"]


def test_what_an_earlier_process_stored_can_be_forgotten_and_stored_anew(journal: Journal, tmp_path: Path) -> None:
    journal.commit([entry("a"), entry("b"), entry("c")], [])
    journal.close()
    again = Journal(tmp_path / "outbox.db")
    again.commit([entry("b", b"2")], [("a", 1)])
    assert [(item.result.task_id, bytes(item.result.value)) for item in again.load()] == [("c", b"1"), ("b", b"2")]
    again.close()


def test_a_commit_that_fails_changes_nothing(journal: Journal, tmp_path: Path) -> None:
    journal.commit([entry("a")], [])
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(sqlite3.Error, match="full"):
        journal.commit([entry("b")], [("a", 1)])
    other.execute("DROP TRIGGER full")
    other.close()
    assert [item.result.task_id for item in journal.load()] == ["a"]
    journal.commit([entry("b")], [("a", 1)])
    assert reopened(journal, tmp_path) == ["b"]


def test_what_version_1_stored_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(
        "CREATE TABLE results (position INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL,"
        " attempt INTEGER NOT NULL, ended_at REAL NOT NULL, frame BLOB NOT NULL, UNIQUE (task_id, attempt))"
    )
    for name in ("a", "b"):
        statement = "INSERT INTO results (task_id, attempt, ended_at, frame) VALUES (?, 1, 100.0, ?)"
        database.execute(statement, (name, encode(entry(name).result)))
    database.execute("PRAGMA user_version = 1")
    database.close()
    journal = Journal(path)
    assert journal.load() == [entry("a"), entry("b")]
    journal.commit([entry("c")], [("a", 1)])
    assert reopened(journal, tmp_path) == ["b", "c"]
