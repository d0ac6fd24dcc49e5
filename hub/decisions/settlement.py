"""What a result, a loss, a cancellation or a wish to run again does to one task.

Plain functions from a stored row to a `Change` (or None: nothing changes), by the table in `hub.decisions.lifecycle`
and the rules of the guarantees (docs/explanation/guarantees.md): one outcome per task, from its newest attempt, the
first one committed.
"""

from __future__ import annotations

from msgspec import Struct

from hub.decisions.lifecycle import FINAL, Move, TaskState, after
from hub.decisions.retry import pause_s
from hub.store.attempts import LOSSES_MAX, AttemptResult, Change, CountsAs, TaskRow, Verdict
from protocol.frames import TaskError


class Settlement(Struct, frozen=True, gc=False):
    """What becomes of a result: the verdict for its sender, and the change if there is one."""

    verdict: Verdict
    change: Change | None = None


def settle(row: TaskRow | None, result: AttemptResult, luck: float) -> Settlement:
    """Decide about a result.

    Only the newest attempt of a running task, told by the node that holds it, decides. A task that the store does not
    know, or knows fewer attempts of, is the store's short memory: the result is kept in quarantine. ``luck`` places a
    retry's pause within its jitter.
    """
    if row is None or result.attempt > row.attempt:
        return Settlement("quarantined")
    if result.attempt < row.attempt or not row.held:
        return Settlement("superseded")
    if result.node_id != row.node_id:
        return Settlement("foreign")
    if row.state in FINAL:
        # Cancelled while it ran: the outcome stands, and the node has just said that it stopped.
        return Settlement("superseded", _stay(row))
    if result.outcome == "succeeded":
        return Settlement("committed", _move(row, Move.SUCCEED, counts_as="succeeded"))
    if result.outcome == "cancelled":
        # Nobody here asked for it: the node was told to end. That is a loss of which we have proof.
        return Settlement("committed", lose(row, "the node stopped it to shut down"))
    return Settlement("committed", _fail(row, result.error or TaskError(kind="error"), luck))


def _fail(row: TaskRow, error: TaskError, luck: float) -> Change:
    failures = row.failures + 1
    pause = pause_s(row.retry, failures, luck) if error.retryable else None
    if pause is None:
        return _move(row, Move.FAIL, failures=failures, error=error, counts_as="failed")
    move = Move.RETRY_LATER if pause > 0 else Move.RETRY_NOW
    return _move(row, move, failures=failures, error=error, pause_s=pause or None, counts_as="failed")


def lose(row: TaskRow, reason: str) -> Change | None:
    """Decide about a held attempt whose instance is dead, or whose lease ran out; None if nothing is held.

    It does not use up the task's own attempts. A task that may not be run again, or that has outlived too many nodes,
    is finally `lost`.
    """
    if not row.held:
        return None
    if row.state is not TaskState.RUNNING:
        return _stay(row)
    losses = row.losses + 1
    where = f"attempt {row.attempt} on node {row.node_id}: {reason}"
    if row.on_lost == "fail":
        error = TaskError(kind="lost", message=f"{where}; on_lost is fail", retryable=False)
    elif losses >= LOSSES_MAX:
        error = TaskError(kind="lost", message=f"{where}; lost {losses} times", retryable=False)
    else:
        return _move(row, Move.RETRY_NOW, losses=losses, counts_as="lost", reason=where)
    return _move(row, Move.LOSE, losses=losses, error=error, counts_as="lost")


def return_unstarted(row: TaskRow) -> Change | None:
    """Decide about a held attempt whose instance has said `bye`: it never arrived, so nothing was lost."""
    if not row.held:
        return None
    return _move(row, Move.RETRY_NOW) if row.state is TaskState.RUNNING else _stay(row)


def cancel(row: TaskRow, reason: str) -> Change | None:
    """Decide about a wish to cancel; None if the task has its outcome.

    A running task is cancelled at once for everyone who asks, and stays held until its node says that it has stopped.
    """
    if row.state in FINAL:
        return None
    error = TaskError(kind="cancelled", message=reason, retryable=False)
    return _move(row, Move.CANCEL, held=row.held, error=error, counts_as="cancelled" if row.held else "")


def expire(row: TaskRow) -> Change | None:
    """Decide about a task whose deadline has passed; None if it has started or is over."""
    if row.state not in {TaskState.SCHEDULED, TaskState.QUEUED}:
        return None
    error = TaskError(kind="expired", message="the deadline passed before it started", retryable=False)
    return _move(row, Move.EXPIRE, error=error)


def revive(row: TaskRow) -> Change | None:
    """Decide about a wish to run a finished task again; None if it succeeded, is not over, or has not stopped yet."""
    if row.held or row.state not in FINAL or row.state is TaskState.SUCCEEDED:
        return None
    return _move(row, Move.REVIVE, failures=0, losses=0)


def _move(
    row: TaskRow,
    move: Move,
    *,
    held: bool = False,
    failures: int | None = None,
    losses: int | None = None,
    pause_s: float | None = None,
    error: TaskError | None = None,
    counts_as: CountsAs = "",
    reason: str = "",
) -> Change:
    return Change(
        row=row,
        state=after(row.state, move),
        held=held,
        failures=row.failures if failures is None else failures,
        losses=row.losses if losses is None else losses,
        pause_s=pause_s,
        error=error,
        counts_as=counts_as,
        reason=reason,
    )


def _stay(row: TaskRow) -> Change:
    return Change(row=row, state=row.state, held=False, failures=row.failures, losses=row.losses)
