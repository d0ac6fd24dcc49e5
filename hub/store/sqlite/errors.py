"""Errors that are alike: gathered while a transaction settles tasks, written as one row for each group."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec
from msgspec import Struct

from hub.decisions.error_groups import Fingerprint, fingerprint, folded
from hub.store.history import ErrorGroup
from hub.store.sqlite import bulk
from protocol.frames import TaskError

# More groups than a person looks through; those that were not seen for longest go.
KEPT_MAX: Final = 10_000

_COLUMNS: Final = "id, name, kind, type, message, place, count, first_at, last_at, last_task_id"

_SUFFIX: Final = (
    "ON CONFLICT (id) DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at,"
    " last_task_id = excluded.last_task_id"
)

_groups = msgspec.json.Decoder(list[ErrorGroup])


class _Counted(Struct, gc=False):
    """One group, and what is added to it."""

    group: Fingerprint
    message: str
    count: int
    last_task_id: str


class Errors:
    """The errors of a number of tasks, by group."""

    def __init__(self) -> None:
        self._counted: dict[str, _Counted] = {}

    def add(self, name: str, task_id: str, error: TaskError) -> str:
        """Count an error of a task; give the id of its group."""
        group = fingerprint(name, error)
        counted = self._counted.get(group.id)
        if counted is None:
            # Only the first message of a group is shown, so only that one is made fit for it.
            counted = self._counted[group.id] = _Counted(group, folded(error.message), 0, task_id)
        counted.count += 1
        counted.last_task_id = task_id
        return group.id

    def write(self, connection: sqlite3.Connection, wall_s: float) -> None:
        """Store what was counted."""
        rows = [
            (
                *(one.group.id, one.group.name, one.group.kind, one.group.type, one.message, one.group.place),
                *(one.count, wall_s, wall_s, one.last_task_id),
            )
            for one in self._counted.values()
        ]
        bulk.insert(connection, "error_groups", _COLUMNS, rows, _SUFFIX)


def remove_old(connection: sqlite3.Connection, batch: int) -> int:
    """Remove groups beyond the count that were not seen for longest; give how many."""
    beyond = connection.execute("SELECT COUNT(*) FROM error_groups").fetchone()[0] - KEPT_MAX
    if beyond <= 0:
        return 0
    statement = "DELETE FROM error_groups WHERE id IN (SELECT id FROM error_groups ORDER BY last_at LIMIT ?)"
    return connection.execute(statement, (min(beyond, batch),)).rowcount


def newest(connection: sqlite3.Connection, limit: int) -> list[ErrorGroup]:
    """Give the groups that were seen last, newest first."""
    rest = "FROM (SELECT * FROM error_groups ORDER BY last_at DESC, id LIMIT ?)"
    objects = ", ".join(f"'{column}', {column}" for column in _COLUMNS.split(", "))
    text: str = connection.execute(f"SELECT json_group_array(json_object({objects})) {rest}", (limit,)).fetchone()[0]
    return _groups.decode(text)
