"""What clients know: which tasks were accepted, and what they came to. Clients write it down themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorline import TaskCancelled, TaskExpired, TaskFailed, TaskHandle, TaskLost

_OUTCOMES: Final[dict[type[Exception], str]] = {
    TaskFailed: "failed",
    TaskCancelled: "cancelled",
    TaskExpired: "expired",
    TaskLost: "lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A task that the hub has accepted, and what is to be expected of it."""

    task_id: str
    at: float
    name: str = ""
    fails_until: int = 0
    """Its attempts up to this one fail, and its policy then allows one more."""
    fails_for_good: bool | None = False
    """Whether its policy gives up before it succeeds; None if nobody knows."""
    may_run_again: bool = True
    cancelled_at: float | None = None
    """When its cancel was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A client was told a final outcome: `succeeded`, `failed`, `cancelled`, `expired` or `lost`."""

    task_id: str
    outcome: str
    at: float


async def outcome_of(handle: TaskHandle[object]) -> str:
    """Wait for the final outcome of a task, and give its name. Cancelling it has no effect on the task.

    Raises:
        MoorlineError: the hub can say nothing of it.
    """
    try:
        await handle.result()
    except tuple(_OUTCOMES) as error:
        return _OUTCOMES[type(error)]
    return "succeeded"
