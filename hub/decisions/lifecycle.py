"""The states of a task and the one table of moves between them.

A missing entry is the error: whoever wants a move that is not here has found a bug or was too late. The picture in
`docs/explanation/task-states.md` is printed from this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TaskState(StrEnum):
    """Where a task is. Exactly one of the last five is its outcome."""

    SCHEDULED = "scheduled"
    """Waits for a time: a delay, `not_before`, or the pause before a retry."""
    QUEUED = "queued"
    """May start as soon as a node that fits has a free slot."""
    RUNNING = "running"
    """Assigned to one instance of a node, and pushed or about to be."""
    SUCCEEDED = "succeeded"
    """Its handler returned; the value is stored."""
    FAILED = "failed"
    """Its handler failed and the policy allows no more attempts."""
    CANCELLED = "cancelled"
    """Somebody asked for it before another outcome was committed."""
    EXPIRED = "expired"
    """Its deadline passed before it started."""
    LOST = "lost"
    """Its node is gone and it may not be run again."""


class Move(StrEnum):
    """What can happen to a task."""

    DUE = "due"
    """The time that it waited for has come."""
    ASSIGN = "assign"
    """A slot was found for it."""
    SUCCEED = "succeed"
    """The current attempt returned a value."""
    FAIL = "fail"
    """The current attempt failed, and no attempt is left."""
    RETRY_LATER = "retry_later"
    """The current attempt failed, and another follows after a pause."""
    RETRY_NOW = "retry_now"
    """The current attempt failed or was lost, and another may start at once."""
    LOSE = "lose"
    """The current attempt's instance is dead or its lease ran out, and it may not run again."""
    CANCEL = "cancel"
    """Somebody asked for it."""
    EXPIRE = "expire"
    """The deadline passed."""
    REVIVE = "revive"
    """An operator asked to run a finished task again."""


class IllegalMoveError(Exception):
    """The table has no such move from this state: the task was decided otherwise before.

    Not a fault to report: the caller came too late, and what was committed first stands.
    """

    def __init__(self, state: TaskState, move: Move) -> None:
        super().__init__(state, move)
        self.state = state
        self.move = move

    def __str__(self) -> str:
        allowed = ", ".join(sorted(move for state, move in MOVES if state == self.state)) or "nothing"
        return f"a task that is {self.state} cannot {self.move}; it can: {allowed}"


MOVES: Final[dict[tuple[TaskState, Move], TaskState]] = {
    (TaskState.SCHEDULED, Move.DUE): TaskState.QUEUED,
    (TaskState.SCHEDULED, Move.CANCEL): TaskState.CANCELLED,
    (TaskState.SCHEDULED, Move.EXPIRE): TaskState.EXPIRED,
    (TaskState.QUEUED, Move.ASSIGN): TaskState.RUNNING,
    (TaskState.QUEUED, Move.CANCEL): TaskState.CANCELLED,
    (TaskState.QUEUED, Move.EXPIRE): TaskState.EXPIRED,
    (TaskState.RUNNING, Move.SUCCEED): TaskState.SUCCEEDED,
    (TaskState.RUNNING, Move.FAIL): TaskState.FAILED,
    (TaskState.RUNNING, Move.RETRY_LATER): TaskState.SCHEDULED,
    (TaskState.RUNNING, Move.RETRY_NOW): TaskState.QUEUED,
    (TaskState.RUNNING, Move.LOSE): TaskState.LOST,
    (TaskState.RUNNING, Move.CANCEL): TaskState.CANCELLED,
    (TaskState.FAILED, Move.REVIVE): TaskState.QUEUED,
    (TaskState.CANCELLED, Move.REVIVE): TaskState.QUEUED,
    (TaskState.EXPIRED, Move.REVIVE): TaskState.QUEUED,
    (TaskState.LOST, Move.REVIVE): TaskState.QUEUED,
}

FINAL: Final = frozenset(
    {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.EXPIRED, TaskState.LOST}
)


def after(state: TaskState, move: Move) -> TaskState:
    """Give the state that follows.

    Raises:
        IllegalMoveError: the table has no such move.
    """
    try:
        return MOVES[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None


def is_final(state: TaskState) -> bool:
    """Tell whether a task in this state has its outcome."""
    return state in FINAL


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", "    [*] --> scheduled: submit, not due", "    [*] --> queued: submit"]
    lines += [f"    {state} --> {target}: {move}" for (state, move), target in MOVES.items()]
    lines += [f"    {state} --> [*]" for state in TaskState if state in FINAL]
    return "\n".join(lines) + "\n"
