"""Task classes and their numbers.

A class never changes once it is stored, so both directions are remembered. What a transaction added is forgotten when
the transaction fails.
"""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from hub.store.assignments import NodeProfile
from hub.store.tasks import TaskClass

# Classes remembered; past this all are forgotten and read again as they are met. One takes some 400 bytes.
REMEMBERED_MAX: Final = 20_000

# Classes stored before it is looked whether they are still used. To look is to read all tasks, 0.3 s for a million, so
# it is done once an hour, and only where classes are many: where each task has a requirement or a target of its own.
STORED_MAX: Final = 20_000
UNUSED_EVERY_S: Final = 3600.0

# Classes removed at once, and how soon the next ones are: a tenth of a second, with room for others between two.
UNUSED_BATCH: Final = 50_000
UNUSED_MORE_S: Final = 60.0

_encode = msgspec.json.Encoder().encode
_requires = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_numbers = msgspec.json.Decoder(list[int])


class Classes:
    """All classes of one database. Those that are aimed at a node have negative numbers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._by_id: dict[int, TaskClass] = {}
        self._ids: dict[TaskClass, int] = {}
        self._fresh: list[TaskClass] = []
        self._look_at_s = 0.0

    def number(self, wanted: TaskClass) -> int:
        """Give the number of a class, storing it if it is new."""
        found = self._ids.get(wanted)
        return self._find_or_store(wanted) if found is None else found

    def get(self, class_id: int) -> TaskClass:
        """Give the class with this number."""
        known = self._by_id.get(class_id)
        return self._load(class_id) if known is None else known

    def aimed_at(self, profile: NodeProfile) -> list[int]:
        """Give the numbers of the classes that only this node may run."""
        statement = "SELECT json_group_array(id) FROM classes WHERE target = ?"
        return _numbers.decode(self._connection.execute(statement, (profile.node_id,)).fetchone()[0])

    def keep_fresh(self) -> None:
        """The transaction is committed: what it added is a fact."""
        self._fresh.clear()

    def forget_fresh(self) -> None:
        """The transaction failed: forget what it added."""
        for wanted in self._fresh:
            number = self._ids.pop(wanted, None)
            if number is not None:
                self._by_id.pop(number, None)
        self._fresh.clear()

    def forget_unused(self, now_s: float) -> int:
        """Remove classes that no task has any more, if there are many and it is time to look; give how many.

        ``now_s`` is on the steady clock.
        """
        if now_s < self._look_at_s:
            return 0
        self._look_at_s = now_s + UNUSED_EVERY_S
        if self._connection.execute("SELECT COUNT(*) FROM classes").fetchone()[0] <= STORED_MAX:
            return 0
        # The outermost numbers stay: the next one is counted from them, and no number may mean two classes.
        removed = self._connection.execute(
            "DELETE FROM classes WHERE id IN (SELECT id FROM classes WHERE id NOT IN (SELECT class_id FROM tasks)"
            " AND id NOT IN (SELECT MIN(id) FROM classes UNION ALL SELECT MAX(id) FROM classes) LIMIT ?)",
            (UNUSED_BATCH,),
        ).rowcount
        if removed == UNUSED_BATCH:
            self._look_at_s = now_s + UNUSED_MORE_S
        self._by_id.clear()
        self._ids.clear()
        return removed

    def _find_or_store(self, wanted: TaskClass) -> int:
        content = (wanted.target, wanted.name, _encode(wanted.requires).decode())
        statement = "SELECT id FROM classes WHERE target = ? AND name = ? AND requires = ?"
        row = self._connection.execute(statement, content).fetchone()
        if row is None:
            edge, step = ("MIN(0, MIN(id))", -1) if wanted.target else ("MAX(0, MAX(id))", 1)
            row = self._connection.execute(
                f"INSERT INTO classes SELECT IFNULL({edge}, 0) + ?, ?, ?, ? FROM classes RETURNING id",
                (step, *content),
            ).fetchone()
            self._fresh.append(wanted)
        return self._remember(int(row[0]), wanted)

    def _load(self, class_id: int) -> TaskClass:
        statement = "SELECT name, requires, target FROM classes WHERE id = ?"
        name, requires, target = self._connection.execute(statement, (class_id,)).fetchone()
        wanted = TaskClass(name, _requires.decode(requires), target)
        self._remember(class_id, wanted)
        return wanted

    def _remember(self, class_id: int, wanted: TaskClass) -> int:
        if len(self._by_id) >= REMEMBERED_MAX:
            self._by_id.clear()
            self._ids.clear()
        self._by_id[class_id] = wanted
        self._ids[wanted] = class_id
        return class_id


def queued_unaimed(connection: sqlite3.Connection) -> list[int]:
    """Give the classes with a queued task that any fitting node may run: one look into the index for each of them."""
    statement = """
        WITH RECURSIVE queued (class_id) AS (
            SELECT MIN(class_id) FROM tasks WHERE state = 1 AND class_id > 0
            UNION ALL
            SELECT (SELECT MIN(class_id) FROM tasks WHERE state = 1 AND tasks.class_id > queued.class_id)
            FROM queued WHERE queued.class_id IS NOT NULL
        )
        SELECT json_group_array(class_id) FROM queued WHERE class_id IS NOT NULL
    """
    return _numbers.decode(connection.execute(statement).fetchone()[0])
