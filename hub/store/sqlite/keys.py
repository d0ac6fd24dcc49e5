"""Concurrency keys: which tasks stand in the queue, and which are parked because their key is full.

A parked task is no part of the queue's index, so a thousand of them cost a claim nothing. A slot of a key is taken when
a task is claimed, not before. In each class as many tasks with a key stand open in the queue as the key has room for,
whatever the other classes do: so a task that no node can run does not keep others with its key from running. A claim
that finds the key full after all parks what it found.

A task with a key enters the queue parked. Whoever has changed anything about a key ends with `rebalance`, which lets
the most urgent ones move up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from hub.store.sqlite import bulk
from hub.store.sqlite.codes import PARKED, QUEUED
from hub.store.sqlite.rows import StoredTask, select_ordered
from hub.store.sqlite.transaction import Transaction

# Tasks of one class that move at once; with a limit beyond it, the next change of the key moves more.
MOVED_MAX: Final = 1000

_numbers = msgspec.json.Decoder(list[int])


def entry_code(task: StoredTask) -> int:
    """Give the code with which a task enters the queue; `rebalance` its key once it is written."""
    return QUEUED if task.key is None else PARKED


def holders(tx: Transaction, key: str) -> int:
    """Give how many attempts hold this key, with those that this transaction has assigned and not written yet."""
    count = tx.key_holders.get(key)
    if count is None:
        statement = "SELECT COUNT(*) FROM tasks WHERE concurrency_key = ? AND held = 1"
        count = tx.key_holders[key] = int(tx.connection.execute(statement, (key,)).fetchone()[0])
    return count


def hold(tx: Transaction, key: str) -> None:
    """Note that an attempt takes this key."""
    tx.key_holders[key] = holders(tx, key) + 1


def park(tx: Transaction, tasks: Sequence[StoredTask]) -> None:
    """Take stored tasks out of the queue until their key has room."""
    for task in tasks:
        tx.queued.pop(task.seq, None)
    _move(tx, tasks, PARKED)


def rebalance(tx: Transaction, tasks: Iterable[StoredTask]) -> None:
    """Fill the room of these tasks' keys with the most urgent parked tasks, in each class."""
    for key in sorted({task.key for task in tasks if task.key is not None}):
        tx.key_holders.pop(key, None)
        for class_id in _parked_classes(tx, key):
            _rebalance_class(tx, key, class_id)


def _rebalance_class(tx: Transaction, key: str, class_id: int) -> None:
    (first,) = _parked(tx, key, class_id, 1)
    room = first.options.concurrency_limit - holders(tx, key) - _open(tx, key, class_id)
    if room > 0:
        _unpark(tx, [first] if room == 1 else _parked(tx, key, class_id, min(room, MOVED_MAX)))
    if room >= 0:
        _swap(tx, key, class_id)


def _swap(tx: Transaction, key: str, class_id: int) -> None:
    """Let more urgent parked tasks change places with less urgent open ones."""
    # One look at each end tells whether there is anything to do, and mostly there is not.
    for count in (1, MOVED_MAX):
        pairs = zip(_parked(tx, key, class_id, count), _last_open(tx, key, class_id, count), strict=False)
        turned = [(up, down) for up, down in pairs if (up.rank, up.seq) < (down.rank, down.seq)]
        if not turned:
            return
        park(tx, [down for _, down in turned])
        _unpark(tx, [up for up, _ in turned])


def _unpark(tx: Transaction, tasks: Sequence[StoredTask]) -> None:
    for task in tasks:
        tx.queued[task.seq] = task.class_id
    _move(tx, tasks, QUEUED)


def _move(tx: Transaction, tasks: Sequence[StoredTask], code: int) -> None:
    for task in tasks:
        tx.recount(task.code, code)
        task.code = code
    bulk.update(tx.connection, "tasks", "seq", "state = column2", [(task.seq, code) for task in tasks])


def _open(tx: Transaction, key: str, class_id: int) -> int:
    statement = "SELECT COUNT(*) FROM tasks WHERE concurrency_key = ? AND class_id = ? AND state = 1"
    return int(tx.connection.execute(statement, (key, class_id)).fetchone()[0])


def _last_open(tx: Transaction, key: str, class_id: int, limit: int) -> list[StoredTask]:
    condition = "concurrency_key = ? AND class_id = ? AND state = 1"
    return select_ordered(tx.connection, condition, "rank DESC, tasks.seq DESC LIMIT ?", (key, class_id, limit))


def _parked(tx: Transaction, key: str, class_id: int, limit: int) -> list[StoredTask]:
    condition = "concurrency_key = ? AND class_id = ? AND state = 8"
    return select_ordered(tx.connection, condition, "rank, tasks.seq LIMIT ?", (key, class_id, limit))


def _parked_classes(tx: Transaction, key: str) -> list[int]:
    statement = """
        WITH RECURSIVE parked (class_id) AS (
            SELECT MIN(class_id) FROM tasks WHERE concurrency_key = ? AND state = 8
            UNION ALL
            SELECT (SELECT MIN(class_id) FROM tasks
                    WHERE concurrency_key = ? AND state = 8 AND tasks.class_id > parked.class_id)
            FROM parked WHERE parked.class_id IS NOT NULL
        )
        SELECT json_group_array(class_id) FROM parked WHERE class_id IS NOT NULL
    """
    return _numbers.decode(tx.connection.execute(statement, (key, key)).fetchone()[0])
