"""Write what the pure decisions say: one `Change` for each task, and everything that follows from it.

Here are the verbs whose whole work is to read rows, ask a decision and write it: results, cancellations, lost leases,
wishes to run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hub.decisions import settlement
from hub.decisions.leases import remaining_s
from hub.decisions.lifecycle import TaskState, is_final
from hub.store.attempts import AttemptResult, Change, Record, Release, Released, TaskRow, Verdict
from hub.store.sqlite import bulk, keys, rows
from hub.store.sqlite.codes import CODES, QUEUED, STATES, SUCCEEDED
from hub.store.sqlite.endings import OUTCOME_AGAIN, Endings
from hub.store.sqlite.rows import StoredTask, row_of
from hub.store.sqlite.transaction import Transaction
from hub.store.wishes import Cancel, Cancelled, Revive, Revived

# Results of attempts that nobody knows are for a person to look at: the newest are enough to see what happened.
QUARANTINED_MAX: Final = 10_000

_encode = msgspec.json.Encoder().encode

_SET_CHANGED: Final = (
    "state = column2, held = column3, instance_id = column4, failures = column5, losses = column6, due_at = column7,"
    " due_clock = column8, finished_at = column9, settled_at = column10, run_s = column11, wait_s = column12"
)

_SET_SUCCEEDED: Final = (
    f"state = {SUCCEEDED}, held = 0, instance_id = '', failures = column2, losses = column3, due_at = NULL,"
    " due_clock = NULL, finished_at = column4, settled_at = column5, run_s = column6, wait_s = column7"
)


class Settled(Struct, gc=False):
    """A task, what becomes of it, and the result that caused it, if one did."""

    task: StoredTask
    change: Change
    result: AttemptResult | None = None


def write(tx: Transaction, settled: Sequence[Settled]) -> None:
    """Write changes, at most one for each task, with their outcomes, totals, events and freed keys."""
    if not settled:
        return
    succeeded: list[bulk.Row] = []
    moved: list[bulk.Row] = []
    stayed: list[bulk.Row] = []
    values: list[bulk.Row] = []
    endings = Endings()
    for item in settled:
        task, change, result = item.task, item.change, item.result
        if change.counts_as:
            tx.count(task.node_id, change.counts_as)
        if result is not None:
            tx.totals(task.node_id).run_s += result.run_s
            tx.runs.append((task.class_id, result.run_s))
        if change.state is STATES[task.code]:
            # Its outcome stands; only nobody holds it any more.
            endings.add(tx, task, change, result)
            stayed.append((task.seq, 0, ""))
        elif change.state is TaskState.SUCCEEDED and result is not None:
            values.append((task.seq, bytearray(result.value)))
            succeeded.append(_succeed(tx, task, change, result))
        else:
            endings.add(tx, task, change, result)
            if result is not None and result.outcome == "failed":
                tx.failed.append(task.class_id)
            moved.append(_move(tx, item))
        task.held, task.failures, task.losses = int(change.held), change.failures, change.losses
    bulk.update(tx.connection, "tasks", "seq", _SET_SUCCEEDED, succeeded)
    bulk.update(tx.connection, "tasks", "seq", _SET_CHANGED, moved)
    bulk.update(tx.connection, "tasks", "seq", "held = column2, instance_id = column3", stayed)
    bulk.insert(tx.connection, "outcomes", "seq, value", values, OUTCOME_AGAIN)
    endings.write(tx)
    keys.rebalance(tx, (item.task for item in settled))


def _move(tx: Transaction, item: Settled) -> bulk.Row:
    """Give the row of a task that goes to another state, and say so in counts and events."""
    task, change, result = item.task, item.change, item.result
    code = CODES[change.state]
    if code == QUEUED:
        code = keys.entry_code(task)
    tx.recount(task.code, code)
    tx.queued.pop(task.seq, None)
    if code == QUEUED:
        tx.queued[task.seq] = task.class_id
    task.code = code
    tx.task_event(task, change.state, error=change.error)
    now = tx.now
    final = is_final(change.state)
    finished_at = None if not final else (result.ended_at if result is not None and result.ended_at else now.wall_s)
    return (
        task.seq,
        code,
        int(change.held),
        task.instance_id if change.held else "",
        change.failures,
        change.losses,
        None if change.pause_s is None else now.steady_s + change.pause_s,
        None if change.pause_s is None else 0,
        finished_at,
        now.steady_s if final else None,
        None if result is None else result.run_s,
        None if result is None else result.wait_s,
    )


def _succeed(tx: Transaction, task: StoredTask, change: Change, result: AttemptResult) -> bulk.Row:
    """Give the row of a task that has succeeded, as most do: what is the same for all stands in the statement."""
    tx.recount(task.code, SUCCEEDED)
    task.code = SUCCEEDED
    tx.task_event(task, TaskState.SUCCEEDED)
    tx.values[task.task_id] = result.value
    now = tx.now
    return (
        task.seq,
        change.failures,
        change.losses,
        result.ended_at or now.wall_s,
        now.steady_s,
        result.run_s,
        result.wait_s,
    )


# --- results ---------------------------------------------------------------------------------------------------------


def record(tx: Transaction, operations: Sequence[Record]) -> list[list[Verdict]]:
    """Settle the results of several operations together; give the verdicts of each."""
    known = rows.by_ids(tx.connection, {result.task_id for item in operations for result in item.results})
    settled: list[Settled] = []
    quarantined: list[AttemptResult] = []
    verdicts: list[list[Verdict]] = []
    for operation in operations:
        told: list[Verdict] = []
        for result in operation.results:
            task = known.get(result.task_id)
            found = settlement.settle(None if task is None else row_of(task), result, operation.luck)
            told.append(found.verdict)
            if found.change is not None and task is not None:
                settled.append(Settled(task, found.change, result))
                # A second result for it in the same list must see that this one was first.
                known[result.task_id] = _ended(task)
            elif found.verdict == "quarantined":
                quarantined.append(result)
        verdicts.append(told)
    write(tx, settled)
    _quarantine(tx, quarantined)
    return verdicts


def _ended(task: StoredTask) -> StoredTask:
    """Give a task as the next result for the same attempt must see it: held by nobody."""
    ended = msgspec.structs.replace(task)
    ended.held = 0
    return ended


def _quarantine(tx: Transaction, results: Sequence[AttemptResult]) -> None:
    if not results:
        return
    columns = "task_id, attempt, node_id, result, at"
    rows_ = [
        (result.task_id, result.attempt, result.node_id, _encode(result).decode(), tx.now.wall_s) for result in results
    ]
    bulk.insert(tx.connection, "quarantine", columns, rows_)
    statement = "DELETE FROM quarantine WHERE number <= (SELECT MAX(number) FROM quarantine) - ?"
    tx.connection.execute(statement, (QUARANTINED_MAX,))


# --- wishes and leases -----------------------------------------------------------------------------------------------


def cancel(tx: Transaction, operation: Cancel) -> Cancelled:
    """Cancel what is not final."""
    known = rows.by_ids(tx.connection, operation.task_ids)
    settled: list[Settled] = []
    for task in known.values():
        change = settlement.cancel(row_of(task), operation.reason)
        if change is not None:
            settled.append(Settled(task, change))
    write(tx, settled)
    stop = [row_of(item.task) for item in settled if item.change.held]
    states = [(task_id, STATES[known[task_id].code] if task_id in known else None) for task_id in operation.task_ids]
    return Cancelled(states=states, changed=[item.task.task_id for item in settled], stop=stop)


def revive(tx: Transaction, operation: Revive) -> Revived:
    """Queue finished tasks again."""
    known = rows.by_ids(tx.connection, operation.task_ids)
    before = {task_id: STATES[task.code] for task_id, task in known.items()}
    settled: list[Settled] = []
    for task in known.values():
        change = settlement.revive(row_of(task))
        if change is not None:
            settled.append(Settled(task, change))
    write(tx, settled)
    done = {item.task.task_id for item in settled}
    return Revived(tasks=[(task_id, before.get(task_id), task_id in done) for task_id in operation.task_ids])


def release(tx: Transaction, operation: Release) -> Released:
    """Free attempts whose lease has run out."""
    freed: list[TaskRow] = []
    next_due_s: list[float | None] = []
    for silence in operation.silences:
        condition = "WHERE held = 1 AND node_id = ? AND instance_id = ?"
        left: list[float] = []
        settled: list[Settled] = []
        for task in rows.select(tx.connection, condition, (silence.node_id, silence.instance_id)):
            lease_s = task.options.lease_s
            remaining = remaining_s(lease_s, silence.silent_s)
            row = row_of(task)
            reason = f"nothing was heard of it for {silence.silent_s:.0f} s, its lease is {lease_s:g} s"
            change = settlement.lose(row, reason) if remaining <= 0 else None
            if change is None:
                left.append(remaining)
            else:
                settled.append(Settled(task, change))
                freed.append(row)
        write(tx, settled)
        next_due_s.append(min(left, default=None))
    return Released(freed=freed, next_due_s=next_due_s)
