"""What time brings: tasks become due, deadlines pass, old things are removed; in small batches, found by index."""

from __future__ import annotations

from typing import Final

import msgspec

from hub.decisions.lifecycle import TaskState
from hub.store.sqlite import audit, bulk, claiming, departed, errors, keys, nodes, rows, spans, tokens
from hub.store.sqlite.codes import FINAL_CODES, QUEUED, SCHEDULED
from hub.store.sqlite.submitting import STEADY, WALL
from hub.store.sqlite.transaction import Transaction
from hub.store.sweeps import Sweep, Swept

# Events kept for readers that were away: a week, a million (some 200 MB), or so many bytes, whichever is least. Those
# of tasks that fail carry a traceback, and a million of them could take 16 GB.
EVENTS_KEPT_S: Final = 7 * 24 * 3600.0
EVENTS_KEPT_MAX: Final = 1_000_000
EVENTS_KEPT_BYTES_MAX: Final = 1024**3

_TABLES_OF_TASKS: Final = ("tasks", "bodies", "outcomes", "logs", "log_counts", "past_attempts")

_finished = msgspec.json.Decoder(list[tuple[int, int]])
_batches = msgspec.json.Decoder(list[tuple[int, int, float, int]])


def sweep(tx: Transaction, operation: Sweep) -> Swept:
    """Do one batch of each."""
    batch = operation.batch
    due = _queue_due(tx, STEADY, tx.now.steady_s, batch) + _queue_due(tx, WALL, tx.now.wall_s, batch)
    expired = _expire(tx, batch)
    removed = _remove_finished(tx, operation)
    gone = nodes.mark_gone(tx, operation.gone_after_s, batch)
    forgotten = departed.forget(tx, batch)
    tx.classes.forget_unused(tx.now.steady_s)
    events_left = _remove_events(tx, batch)
    past = _remove_past(tx, batch)
    return Swept(
        due=due,
        expired=expired,
        removed=removed,
        more=max(due, expired, removed, gone, forgotten, past) >= batch or events_left,
        next_due_in_s=_next_due_in_s(tx),
    )


def _queue_due(tx: Transaction, clock: int, now_s: float, batch: int) -> int:
    condition = "state = 0 AND due_clock = ? AND due_at <= ?"
    tasks = rows.select_ordered(tx.connection, condition, "due_at, tasks.seq LIMIT ?", (clock, now_s, batch))
    changes = []
    for task in tasks:
        task.code = keys.entry_code(task)
        tx.recount(SCHEDULED, task.code)
        if task.code == QUEUED:
            tx.queued[task.seq] = task.class_id
        tx.task_event(task, TaskState.QUEUED)
        changes.append((task.seq, task.code))
    bulk.update(tx.connection, "tasks", "seq", "state = column2", changes)
    keys.rebalance(tx, tasks)
    return len(tasks)


def _expire(tx: Transaction, batch: int) -> int:
    condition = "deadline_at IS NOT NULL AND state IN (0, 1, 8) AND deadline_at <= ?"
    tasks = rows.select_ordered(tx.connection, condition, "deadline_at LIMIT ?", (tx.now.wall_s, batch))
    return claiming.expire_all(tx, tasks)


def _remove_finished(tx: Transaction, operation: Sweep) -> int:
    """Remove the oldest finished tasks: those past their age, and those beyond the count. What is held stays."""
    counts = tx.ledger.counts
    beyond = sum(counts[code] for code in FINAL_CODES) - operation.retention_count
    oldest = "FROM (SELECT seq, state FROM tasks WHERE settled_at IS NOT NULL AND held = 0"
    found = bulk.read(
        tx.connection,
        _finished,
        "seq, state",
        f"{oldest} AND settled_at < ? ORDER BY settled_at LIMIT ?)",
        (tx.now.steady_s - operation.retention_s, operation.batch),
    )
    if len(found) < min(beyond, operation.batch):
        rest = f"{oldest} ORDER BY settled_at LIMIT ?)"
        found = bulk.read(tx.connection, _finished, "seq, state", rest, (min(beyond, operation.batch),))
    for _, code in found:
        counts[code] -= 1
    seqs = [seq for seq, _ in found]
    for table in _TABLES_OF_TASKS if seqs else ():
        bulk.delete(tx.connection, table, "seq", seqs)
    return len(found)


def _remove_events(tx: Transaction, batch: int) -> bool:
    """Remove rows of old events, and of those beyond the count or the bytes; tell whether there are more."""
    ledger = tx.ledger
    beyond = ledger.last_event_id - EVENTS_KEPT_MAX
    rest = "FROM (SELECT first_id, count, at, LENGTH(body) AS size FROM event_batches ORDER BY first_id LIMIT ?)"
    found = bulk.read(tx.connection, _batches, "first_id, count, at, size", rest, (batch,))
    since_s = tx.now.steady_s - EVENTS_KEPT_S
    old = []
    for first_id, count, at, size_bytes in found:
        if first_id + count - 1 <= beyond or at < since_s or ledger.event_bytes > EVENTS_KEPT_BYTES_MAX:
            old.append(first_id)
            ledger.event_bytes -= size_bytes
    if old:
        bulk.delete(tx.connection, "event_batches", "first_id", old)
    return len(old) == batch


def _remove_past(tx: Transaction, batch: int) -> int:
    """Remove what is kept of the past and is too old or too much; give of what most was removed."""
    return max(
        spans.remove_old(tx.connection, tx.now, batch),
        errors.remove_old(tx.connection, batch),
        audit.remove_old(tx.connection, tx.now, batch),
        tokens.remove_ended(tx.connection, tx.now, batch),
    )


def _next_due_in_s(tx: Transaction) -> float | None:
    """Give how long until the next task is due or past its deadline."""
    found = tx.connection.execute(
        "SELECT (SELECT MIN(due_at) FROM tasks WHERE state = 0 AND due_clock = 0) - ?,"
        " (SELECT MIN(due_at) FROM tasks WHERE state = 0 AND due_clock = 1) - ?,"
        " (SELECT MIN(deadline_at) FROM tasks WHERE deadline_at IS NOT NULL AND state IN (0, 1, 8)) - ?",
        (tx.now.steady_s, tx.now.wall_s, tx.now.wall_s),
    ).fetchone()
    waits = [max(0.0, wait_s) for wait_s in found if wait_s is not None]
    return min(waits, default=None)
