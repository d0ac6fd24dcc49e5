"""The states of a task as the small integers that the database holds. The one place that maps them."""

from __future__ import annotations

from typing import Final

from hub.decisions.lifecycle import FINAL, TaskState

SCHEDULED: Final = 0
QUEUED: Final = 1
RUNNING: Final = 2
SUCCEEDED: Final = 3
FAILED: Final = 4
CANCELLED: Final = 5
EXPIRED: Final = 6
LOST: Final = 7

# Queued for everyone outside. Inside it stands apart, because thousands of tasks whose concurrency key is full must not
# be looked at by each node that asks for work.
PARKED: Final = 8

STATES: Final = (
    TaskState.SCHEDULED,
    TaskState.QUEUED,
    TaskState.RUNNING,
    TaskState.SUCCEEDED,
    TaskState.FAILED,
    TaskState.CANCELLED,
    TaskState.EXPIRED,
    TaskState.LOST,
    TaskState.QUEUED,
)
"""By code."""

CODES: Final[dict[TaskState, int]] = {state: code for code, state in reversed(list(enumerate(STATES)))}
"""By state; a queued task's code is `QUEUED` until its concurrency key says otherwise."""

FINAL_CODES: Final = frozenset(code for code, state in enumerate(STATES) if state in FINAL)


def codes_of(state: TaskState) -> list[int]:
    """Give all codes that mean this state."""
    return [code for code, meant in enumerate(STATES) if meant is state]


def by_state(counts: list[int]) -> dict[str, int]:
    """Sum counts by code up to counts by state."""
    sums = dict.fromkeys((state.value for state in TaskState), 0)
    for code, count in enumerate(counts):
        sums[STATES[code].value] += count
    return sums
