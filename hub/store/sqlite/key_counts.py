"""How many attempts hold a concurrency key, and how many tasks with it stand in the queue."""

from __future__ import annotations

import sqlite3


class KeyCounts:
    """Counts by concurrency key. Each is read when it is first asked for; whoever changes a task says so here *before*
    the change is written, so that what was read and what was said never count the same thing twice.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._holders: dict[str, int] = {}
        self._open: dict[tuple[str, int], int] = {}

    def holders(self, key: str) -> int:
        """Give how many attempts hold this key."""
        count = self._holders.get(key)
        if count is None:
            statement = "SELECT COUNT(*) FROM tasks WHERE concurrency_key = ? AND held = 1"
            count = self._holders[key] = int(self._connection.execute(statement, (key,)).fetchone()[0])
        return count

    def open(self, key: str, class_id: int) -> int:
        """Give how many tasks of this class with this key are queued and not parked."""
        count = self._open.get((key, class_id))
        if count is None:
            statement = "SELECT COUNT(*) FROM tasks WHERE concurrency_key = ? AND class_id = ? AND state = 1"
            count = int(self._connection.execute(statement, (key, class_id)).fetchone()[0])
            self._open[key, class_id] = count
        return count

    def has_room(self, key: str, class_id: int, limit: int) -> bool:
        """Tell whether one more task of this class may stand in the queue."""
        return self.holders(key) + self.open(key, class_id) < limit

    def enter(self, key: str, class_id: int) -> None:
        """A task with this key goes into the queue."""
        self._open[key, class_id] = self.open(key, class_id) + 1

    def leave(self, key: str, class_id: int) -> None:
        """A task with this key leaves the queue."""
        self._open[key, class_id] = self.open(key, class_id) - 1

    def hold(self, key: str) -> None:
        """An attempt takes this key."""
        self._holders[key] = self.holders(key) + 1

    def release(self, key: str) -> None:
        """An attempt gives this key back."""
        self._holders[key] = self.holders(key) - 1
