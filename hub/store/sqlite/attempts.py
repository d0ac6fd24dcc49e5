"""Attempts that are over and did not succeed. The one that did, and the one that runs, stand in their task's row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from hub.store.attempts import AttemptResult, Change
from hub.store.history import AttemptView
from hub.store.sqlite import bulk
from hub.store.sqlite.codes import STATES
from hub.store.sqlite.rows import StoredTask
from hub.store.sqlite.transaction import Transaction
from protocol.frames import TaskError

# Of one task: a policy may allow a thousand attempts, and the last ones say what is wrong.
KEPT_PER_TASK_MAX: Final = 50

# The end of a traceback says what happened; all of it stands in the task's own error.
TRACEBACK_CHARACTERS_KEPT: Final = 2000

RETURNED: Final = "returned"
"""The outcome of an attempt whose node left before it had begun: nothing was lost, and nothing was counted."""


class Ended(Struct, gc=False):
    """An attempt that nobody holds any more: what was decided, its result if there is one, why it ended, as JSON."""

    task: StoredTask
    change: Change
    result: AttemptResult | None
    why: str | None


class _Stored(Struct, array_like=True):
    attempt: int
    node_id: str
    started_at: float | None
    ended_at: float
    outcome: str
    run_s: float | None
    error: TaskError | None


class _Newest(Struct, array_like=True):
    """What a task's own row, and its outcome, say of its newest attempt."""

    seq: int
    code: int
    attempt: int
    node_id: str
    started_at: float | None
    finished_at: float | None
    run_s: float | None
    error: TaskError | None


# A task in one of these states has no attempt under way, and what its error says is of an earlier one.
_WAITING: Final = frozenset({TaskState.SCHEDULED, TaskState.QUEUED, TaskState.EXPIRED})
_ENDED_BADLY: Final = frozenset({TaskState.FAILED, TaskState.LOST})

_times = msgspec.json.Decoder(list[tuple[int, float | None]])
_stored = msgspec.json.Decoder(list[_Stored])
_newest = msgspec.json.Decoder(list[_Newest])


def write(tx: Transaction, ended: Sequence[Ended]) -> None:
    """Keep attempts that are over, and of each task only the last ones."""
    if not ended:
        return
    # A settled task's row does not carry its start: what succeeds has no use for it.
    seqs = bulk.among(item.task.seq for item in ended)
    rest = "FROM tasks WHERE seq IN (SELECT value FROM json_each(?))"
    started = dict(bulk.read(tx.connection, _times, "seq, started_at", rest, (seqs,)))
    rows = [_row(item, started.get(item.task.seq), tx.now.wall_s) for item in ended]
    columns = "seq, attempt, node_id, started_at, ended_at, outcome, run_s, error"
    bulk.insert(tx.connection, "past_attempts", columns, rows, "ON CONFLICT (seq, attempt) DO NOTHING")
    for item in ended:
        if item.task.attempt > KEPT_PER_TASK_MAX:
            statement = "DELETE FROM past_attempts WHERE seq = ? AND attempt <= ?"
            tx.connection.execute(statement, (item.task.seq, item.task.attempt - KEPT_PER_TASK_MAX))


def _row(item: Ended, started_at: float | None, wall_s: float) -> bulk.Row:
    task, result = item.task, item.result
    return (
        task.seq,
        task.attempt,
        task.node_id,
        started_at,
        result.ended_at if result is not None and result.ended_at else wall_s,
        _outcome(item.change),
        None if result is None else result.run_s,
        item.why,
    )


def _outcome(change: Change) -> str:
    """Say what an attempt came to: as it counts, and where it does not count, why."""
    if change.counts_as:
        return change.counts_as
    return "cancelled" if change.state is TaskState.CANCELLED else RETURNED


def is_long(error: TaskError) -> bool:
    """Tell whether an error is kept with the end of its traceback only."""
    return len(error.traceback) > TRACEBACK_CHARACTERS_KEPT


def cut(error: TaskError) -> TaskError:
    """Give a long error as it is kept."""
    return msgspec.structs.replace(error, traceback="…" + error.traceback[1 - TRACEBACK_CHARACTERS_KEPT :])


# --- queries ---------------------------------------------------------------------------------------------------------


def of_task(connection: sqlite3.Connection, task_id: str) -> list[AttemptView] | None:
    """Give the attempts of a task, oldest first, the newest one last; None if there is no such task."""
    columns = "seq, state, attempt, node_id, started_at, finished_at, run_s, json(error)"
    rest = "FROM tasks LEFT JOIN outcomes USING (seq) WHERE tasks.id = ?"
    found = bulk.read(connection, _newest, columns, rest, (task_id,))
    if not found:
        return None
    newest = found[0]
    columns = "attempt, node_id, started_at, ended_at, outcome, run_s, json(error)"
    rest = "FROM (SELECT * FROM past_attempts WHERE seq = ? ORDER BY attempt)"
    past = [_past(stored) for stored in bulk.read(connection, _stored, columns, rest, (newest.seq,))]
    is_told = newest.attempt == 0 or (past and past[-1].attempt == newest.attempt)
    return past if is_told or STATES[newest.code] in _WAITING else [*past, _current(newest)]


def _past(stored: _Stored) -> AttemptView:
    return AttemptView(
        attempt=stored.attempt,
        node=stored.node_id,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        outcome=stored.outcome,
        run_s=stored.run_s,
        error=stored.error,
    )


def _current(newest: _Newest) -> AttemptView:
    """Give the attempt that its task's row tells about.

    It runs, or has succeeded, or was cancelled and its node has not said yet that it has stopped; or it failed before
    attempts were kept.
    """
    state = STATES[newest.code]
    is_running = state is TaskState.RUNNING
    return AttemptView(
        attempt=newest.attempt,
        node=newest.node_id,
        started_at=newest.started_at,
        ended_at=None if is_running else newest.finished_at,
        outcome=None if is_running else state.value,
        run_s=None if is_running else newest.run_s,
        error=newest.error if state in _ENDED_BADLY else None,
    )
