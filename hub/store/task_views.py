"""What queries say of tasks, and which tasks they ask for."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hub.decisions.filter_terms import Term
from hub.decisions.lifecycle import TaskState
from hub.store.tasks import TaskOptions
from protocol.frames import TaskError


class TaskView(Struct, frozen=True, kw_only=True):
    """A stored task as people see it. ``payload`` and ``value`` only where one task was asked for."""

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
    error: TaskError | None
    options: TaskOptions
    held: bool
    payload: bytes | None = None
    value: bytes | None = None


class TaskFilter(Struct, frozen=True, kw_only=True):
    """Which tasks to list; what is empty or None does not restrict. ``since``: submitted at or after. ``terms`` must
    all hold (`hub/decisions/filters.py`); the times in them are counted back from ``at``, on the wall clock.
    """

    ids: Sequence[str] = ()
    states: Sequence[TaskState] = ()
    name: str = ""
    node: str = ""
    group: str = ""
    origin: str = ""
    label: tuple[str, str] | None = None
    since: float | None = None
    terms: Sequence[Term] = ()
    at: float = 0.0


class TaskPage(Struct, frozen=True, kw_only=True):
    """Newest first. ``cursor`` is None after the last page; a page may be short or empty and still have a cursor, since
    one page looks at a bounded number of rows.
    """

    tasks: list[TaskView]
    cursor: str | None


class TaskIdPage(Struct, frozen=True, kw_only=True):
    """Ids of tasks, newest first. ``cursor`` as in `TaskPage`."""

    ids: list[str]
    cursor: str | None


class QueuePlace(Struct, frozen=True, kw_only=True):
    """What the store knows about why a task does not run.

    ``position``: how many eligible tasks of its class stand before it, plus 1; None unless it is queued.
    ``concurrency_holders``: attempts that hold its concurrency key now.
    """

    view: TaskView
    position: int | None
    concurrency_holders: int
