"""Stores that are filled offline."""

from __future__ import annotations

from pathlib import Path

from benchmarks.standing_queues import StandingQueues
from hub.settings import DATABASE_NAME
from hub.store.sqlite.store import SqliteStore


def queued(state: Path) -> int:
    store = SqliteStore.open(state / DATABASE_NAME, durability="full")
    try:
        return store.stats().tasks.get("queued", 0)
    finally:
        store.close()


def test_a_larger_queue_is_made_of_a_smaller_one_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    queues = StandingQueues(tmp_path)
    queues.copy(5, tmp_path / "small")
    queues.copy(12, tmp_path / "large")
    queues.copy(5, tmp_path / "small again")
    assert [queued(tmp_path / name) for name in ("small", "large", "small again")] == [5, 12, 5]
