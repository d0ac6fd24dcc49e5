"""Stores with many queued tasks, filled offline through the hub's own store, and copied to where a hub is to start.

The tasks require a label that a node has only if it is given (`LATE`), and are less urgent than all others: for a node
without the label they are somebody else's, for a node with it they are work for later.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Final

from benchmarks.throughput import DATA
from hub.settings import DATABASE_NAME
from hub.store.now import Now
from hub.store.sqlite.store import SqliteStore
from hub.store.submissions import Submit
from hub.store.tasks import NewTask, TaskOptions

LATE: Final = ("shift", "late")

# The least urgent that there is.
OPTIONS: Final = TaskOptions(priority=-1000, requires=dict([LATE]))

# Tasks in one transaction: a few MB.
BATCH: Final = 2000

PAYLOAD: Final = b'{"data":"%b"}' % DATA.encode()


class StandingQueues:
    """Stores of different sizes under one folder, each made when it is first asked for, from the next smaller one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[int, Path] = {}

    def copy(self, tasks: int, state: Path) -> None:
        """Make ``state`` the state of a hub in which so many tasks are queued; it must not be there."""
        _copy(self._of(tasks), state)

    def _of(self, tasks: int) -> Path:
        made = self._made.get(tasks)
        if made is not None:
            return made
        path = self._folder / f"queue-{tasks}"
        smaller = max((size for size in self._made if size < tasks), default=0)
        if smaller:
            _copy(self._made[smaller], path)
        else:
            path.mkdir()
        _fill(path, smaller, tasks)
        self._made[tasks] = path
        return path


def _fill(state: Path, first: int, end: int) -> None:
    """Submit the tasks with these numbers."""
    # Nothing of it needs to survive a power cut before the copy is written out.
    store = SqliteStore.open(state / DATABASE_NAME, durability="normal")
    try:
        for start in range(first, end, BATCH):
            numbers = range(start, min(start + BATCH, end))
            tasks = [
                NewTask(task_id=f"standing-{number:08}", name="noop", payload=PAYLOAD, options=OPTIONS)
                for number in numbers
            ]
            now_s = time.time()
            store.execute([Submit(tasks=tasks)], Now(now_s, now_s))
    finally:
        store.close()


def _copy(source: Path, target: Path) -> None:
    """Copy a state and write it out: else the first commits of the hub would wait for that."""
    shutil.copytree(source, target)
    for path in target.iterdir():
        with path.open("rb") as copied:
            os.fsync(copied.fileno())
