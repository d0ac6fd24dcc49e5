"""How attempts end: by a result, or since nothing was heard of whom they were assigned to; and what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from hub.decisions.retry import RetryPolicy
from hub.store.assignments import Assignment, Offer
from protocol.frames import AttemptKey, Outcome, TaskError

# A node's death is not the task's fault, but a task that kills each node it meets must end: after so many losses it is
# final `lost`. Larger than any number of restarts that one task lives through in a fleet that is merely unlucky.
LOSSES_MAX = 50


class TaskRow(Struct, frozen=True, kw_only=True, gc=False):
    """What the decisions need of a stored task.

    ``attempt`` is the newest attempt's number, 0 before the first. ``held``: an instance holds, or may hold, that
    attempt. A running task is always held; a cancelled one is until its node says that it has stopped. While it is
    held, ``node_id`` and ``instance_id`` say by whom.
    """

    task_id: str
    state: TaskState
    attempt: int = 0
    held: bool = False
    node_id: str = ""
    instance_id: str = ""
    failures: int = 0
    losses: int = 0
    retry: RetryPolicy = RetryPolicy()
    on_lost: Literal["retry", "fail"] = "retry"

    @property
    def key(self) -> AttemptKey:
        """The fencing token of the newest attempt."""
        return (self.task_id, self.attempt)


CountsAs: TypeAlias = Literal["", "succeeded", "failed", "cancelled", "lost"]


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """What a decision does to one task. The backend writes it, conditional on ``row`` being unchanged.

    ``pause_s`` is set when the task is to wait before it is queued again. ``counts_as`` says which total of the node
    grows by one (empty: none). ``error`` is stored as the task's error; ``reason`` says why an attempt ended that
    leaves none.
    """

    row: TaskRow
    state: TaskState
    held: bool = False
    failures: int
    losses: int
    pause_s: float | None = None
    error: TaskError | None = None
    counts_as: CountsAs = ""
    reason: str = ""


class AttemptResult(Struct, frozen=True, kw_only=True, gc=False):
    """A `result` frame as the store takes it: from whom, and when it ended on the hub's wall clock."""

    task_id: str
    attempt: int
    node_id: str
    outcome: Outcome
    value: bytes = b""
    error: TaskError | None = None
    wait_s: float = 0.0
    run_s: float = 0.0
    ended_at: float = 0.0


class Record(Struct, frozen=True, kw_only=True):
    """Settle results, change the nodes' totals with them, then fill offered slots."""

    results: Sequence[AttemptResult]
    offers: Sequence[Offer] = ()
    luck: float = 0.5


Verdict: TypeAlias = Literal["committed", "superseded", "quarantined", "foreign"]


class Recorded(Struct, frozen=True, kw_only=True):
    """Answer to `Record`: a verdict for each result in order. Each one is to be acked; `foreign` (another node's
    attempt) changes nothing and is not acked.
    """

    verdicts: list[Verdict]
    assignments: list[Assignment]


class Silence(Struct, frozen=True):
    """Nothing was heard of an instance for ``silent_s`` seconds on the hub's monotonic clock."""

    node_id: str
    instance_id: str
    silent_s: float


class Release(Struct, frozen=True, kw_only=True):
    """Free attempts whose lease, with the margin of `hub.decisions.leases.margin_s`, is shorter than the silence of
    their instance.
    """

    silences: Sequence[Silence]
    luck: float = 0.5


class Released(Struct, frozen=True, kw_only=True):
    """Freed attempts, and for each silence how long it must grow until the next lease runs out (None: nothing held)."""

    freed: list[TaskRow]
    next_due_s: list[float | None]
