"""Rows and results for tests of pure decisions, with only what a test cares about."""

from __future__ import annotations

from typing import Any

from hub.decisions.lifecycle import TaskState
from hub.store.attempts import AttemptResult, TaskRow


def running(task_id: str = "t", attempt: int = 1, **more: Any) -> TaskRow:
    values: dict[str, Any] = {"node_id": "n", "instance_id": "i", "held": True, "state": TaskState.RUNNING} | more
    return TaskRow(task_id=task_id, attempt=attempt, **values)


def queued(task_id: str = "t", attempt: int = 0, **more: Any) -> TaskRow:
    values: dict[str, Any] = {"state": TaskState.QUEUED} | more
    return TaskRow(task_id=task_id, attempt=attempt, **values)


def result(task_id: str = "t", attempt: int = 1, **more: Any) -> AttemptResult:
    values: dict[str, Any] = {"node_id": "n", "outcome": "succeeded"} | more
    return AttemptResult(task_id=task_id, attempt=attempt, **values)
