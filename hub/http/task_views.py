"""What the API shows of tasks. Payloads and values stay bytes."""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType

from hub.decisions.lifecycle import TaskState
from hub.events.objects import ErrorObject, error_object
from hub.store.logs import StoredLogs
from hub.store.submissions import Accepted
from hub.store.task_views import TaskView
from hub.store.tasks import TaskOptions
from protocol.frames import Progress


class AcceptedTask(Struct, frozen=True, kw_only=True, gc=False):
    """A submitted task. ``existing``: a task with this id or idempotency key was there before; this is that one."""

    id: str
    state: TaskState
    existing: bool


class AcceptedBatch(Struct, frozen=True, kw_only=True):
    """The tasks of a batch, in its order."""

    tasks: list[AcceptedTask]


class AcceptedMember(Struct, frozen=True, kw_only=True):
    """A broadcast's task for one node."""

    id: str
    node: str
    state: TaskState
    existing: bool


class BroadcastAnswer(Struct, frozen=True, kw_only=True):
    """A broadcast: its group, and one task for each node that matched."""

    group: str
    tasks: list[AcceptedMember]


class ProgressObject(Struct, frozen=True, kw_only=True):
    """How far the newest attempt is, as its handler says."""

    done: float
    total: float | None
    message: str


class TaskObject(Struct, frozen=True, kw_only=True):
    """A task. ``*_at`` are seconds since 1970, ``*_s`` durations. ``options`` holds what differs from the defaults.
    ``payload`` and ``value`` stand there only where one task was asked for, ``value`` once it has succeeded.
    """

    id: str
    name: str
    state: TaskState
    priority: int
    attempt: int
    failures: int
    losses: int
    node: str | None
    target: str | None
    requires: dict[str, str]
    labels: dict[str, str]
    origin: str
    group: str
    submitted_at: float
    due_at: float | None
    deadline_at: float | None
    started_at: float | None
    finished_at: float | None
    run_s: float | None
    wait_s: float | None
    progress: ProgressObject | None
    error: ErrorObject | None
    options: TaskOptions
    payload: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET


class TaskPage(Struct, frozen=True, kw_only=True):
    """Tasks, newest first. ``cursor`` is null after the last page; a page may be short, or empty, and have one."""

    tasks: list[TaskObject]
    cursor: str | None


class LogObject(Struct, frozen=True, kw_only=True):
    """One line that a handler logged."""

    at: float
    attempt: int
    level: str
    message: str


class LogAnswer(Struct, frozen=True, kw_only=True):
    """A task's lines, oldest first; ``dropped``: how many did not fit."""

    lines: list[LogObject]
    dropped: int


def accepted_task(accepted: Accepted) -> AcceptedTask:
    """Show a submitted task."""
    return AcceptedTask(id=accepted.task_id, state=accepted.state, existing=accepted.existing)


def task_object(view: TaskView, progress: Progress | None) -> TaskObject:
    """Show a stored task."""
    return TaskObject(
        id=view.id,
        name=view.name,
        state=view.state,
        priority=view.priority,
        attempt=view.attempt,
        failures=view.failures,
        losses=view.losses,
        node=view.node,
        target=view.target,
        requires=view.requires,
        labels=view.labels,
        origin=view.origin,
        group=view.group,
        submitted_at=view.submitted_at,
        due_at=view.due_at,
        deadline_at=view.deadline_at,
        started_at=view.started_at,
        finished_at=view.finished_at,
        run_s=view.run_s,
        wait_s=view.wait_s,
        progress=_progress_object(view, progress),
        error=None if view.error is None else error_object(view.error),
        options=view.options,
        payload=UNSET if view.payload is None else Raw(view.payload),
        value=UNSET if view.value is None else Raw(view.value),
    )


def _progress_object(view: TaskView, progress: Progress | None) -> ProgressObject | None:
    if progress is None or progress.attempt != view.attempt or view.state is not TaskState.RUNNING:
        return None
    return ProgressObject(done=progress.done, total=progress.total, message=progress.message)


def log_answer(stored: StoredLogs) -> LogAnswer:
    """Show a task's log lines."""
    lines = [
        LogObject(at=line.at, attempt=line.attempt, level=line.level, message=line.message) for line in stored.lines
    ]
    return LogAnswer(lines=lines, dropped=stored.dropped)
