"""For how long a task has been waiting or running, up to now: what the hub tells only once it is over. Pure."""

from __future__ import annotations

from typing import Final

from moorline.views import TaskView

# A task in one of these may be asked why it does not run.
WAITING: Final = frozenset({"queued", "scheduled"})


def ran_s(task: TaskView, now_at: float) -> float | None:
    """Give for how long a task ran, or has been running; None if it did not."""
    if task.state == "running" and task.started_at is not None:
        return max(0.0, now_at - task.started_at)
    return task.run_s


def waited_s(task: TaskView, now_at: float) -> float | None:
    """Give for how long a task waited, or has been waiting since it could have started; None if that is not known."""
    if task.state == "queued" and task.submitted_at is not None:
        return max(0.0, now_at - max(task.submitted_at, task.due_at or 0.0))
    return task.wait_s
