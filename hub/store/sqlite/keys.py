"""Concurrency keys: which tasks stand in the queue, and which are parked because their key is full.

A parked task is no part of the queue's index, so a thousand of them cost a claim nothing. A slot of a key is taken when
a task is claimed, not before. In each class as many tasks with a key stand open in the queue as the key has room for,
whatever the other classes do: so a task that no node can run does not keep others with its key from running. A claim
that finds the key full after all parks what it found. Whenever room appears, the most urgent parked tasks move up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hub.store.sqlite import bulk
from hub.store.sqlite.codes import PARKED, QUEUED
from hub.store.sqlite.rows import StoredTask, select_ordered
from hub.store.sqlite.transaction import Transaction

# Tasks of one class that move up at once; with a limit beyond it, the next attempt that ends moves up more.
UNPARKED_MAX: Final = 1000

_numbers = msgspec.json.Decoder(list[int])


def admit(tx: Transaction, task: StoredTask) -> int:
    """Give the code with which a task enters the queue, `QUEUED` or `PARKED`; a less urgent one makes room for it."""
    key = task.key
    if key is None:
        return QUEUED
    keys = tx.keys
    if not keys.has_room(key, task.class_id, task.options.concurrency_limit):
        if not keys.open(key, task.class_id):
            return PARKED
        condition = "concurrency_key = ? AND class_id = ? AND state = 1"
        worst = select_ordered(tx.connection, condition, "rank DESC, tasks.seq DESC LIMIT 1", (key, task.class_id))
        if not worst or worst[0].rank <= task.rank:
            return PARKED
        park(tx, worst)
    keys.enter(key, task.class_id)
    return QUEUED


def park(tx: Transaction, tasks: Sequence[StoredTask]) -> None:
    """Take stored tasks out of the queue until their key has room."""
    for task in tasks:
        if task.key is not None:
            tx.keys.leave(task.key, task.class_id)
        tx.recount(QUEUED, PARKED)
        tx.queued.pop(task.seq, None)
    _move(tx, tasks, PARKED)


def unpark(tx: Transaction, key: str) -> None:
    """Move up as many tasks as this key has room for, in each class."""
    for class_id in _parked_classes(tx, key):
        top = _parked(tx, key, class_id, 1)
        room = top[0].options.concurrency_limit - tx.keys.holders(key) - tx.keys.open(key, class_id)
        if room <= 0:
            continue
        tasks = top if room == 1 else _parked(tx, key, class_id, min(room, UNPARKED_MAX))
        for task in tasks:
            tx.keys.enter(key, class_id)
            tx.recount(PARKED, QUEUED)
            tx.queued[task.seq] = class_id
        _move(tx, tasks, QUEUED)


def _move(tx: Transaction, tasks: Sequence[StoredTask], code: int) -> None:
    for task in tasks:
        task.code = code
    bulk.update(tx.connection, "tasks", "seq", "state = column2", [(task.seq, code) for task in tasks])


def _parked(tx: Transaction, key: str, class_id: int, limit: int) -> list[StoredTask]:
    condition = "concurrency_key = ? AND class_id = ? AND state = 8"
    return select_ordered(tx.connection, condition, "rank, tasks.seq LIMIT ?", (key, class_id, limit))


def _parked_classes(tx: Transaction, key: str) -> list[int]:
    statement = """
        WITH RECURSIVE parked (class_id) AS (
            SELECT MIN(class_id) FROM tasks WHERE concurrency_key = ?1 AND state = 8
            UNION ALL
            SELECT (SELECT MIN(class_id) FROM tasks
                    WHERE concurrency_key = ?1 AND state = 8 AND tasks.class_id > parked.class_id)
            FROM parked WHERE parked.class_id IS NOT NULL
        )
        SELECT json_group_array(class_id) FROM parked WHERE class_id IS NOT NULL
    """
    return _numbers.decode(tx.connection.execute(statement, (key,)).fetchone()[0])
