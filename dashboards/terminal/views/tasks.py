"""The tasks as a table, newest first: state, name, node, attempt, age, and how far each is or what went wrong."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from dashboards.charts import bar
from dashboards.terminal.columns import Column
from dashboards.terminal.looks import BUSY, DIM, PLAIN, STRONG, WARN, task_look
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import TASK_SORTS, State
from dashboards.terminal.texts import Part, clean
from dashboards.terminal.views.table import table
from moorline.views import Progress, TaskView
from moorline.words import ago, duration, pairs

PROGRESS_CELLS: Final = 10

COLUMNS: Final = (
    Column(title="STATE", width=11),
    Column(title="NAME", width=8, width_max=32),
    Column(title="AGE", rank=1, width=4, is_right=True),
    Column(title="NODE", rank=3, width=8, width_max=24),
    Column(title="TRY", rank=4, width=3, is_right=True),
    Column(title="RAN", rank=5, width=7, is_right=True),
    Column(title="WAITED", rank=7, width=7, is_right=True),
    Column(title="PROGRESS", rank=2, width=16, width_max=60),
    Column(title="ID", rank=6, width=26, width_max=40),
)


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    listing = snapshot.tasks
    order = TASK_SORTS[state.task_sort][1]
    if state.task_sort and listing.is_more:
        order = f"the newest {len(listing.rows):,} {order}"
    return table(
        "tasks",
        listing,
        state.tasks,
        order=order,
        columns=COLUMNS,
        cells_of=lambda task: _cells(task, snapshot.now_at),
        about=lambda task, _titles: _about(task, snapshot.now_at),
        empty="There is no task yet; `moorline submit NAME` submits one.",
        width=width,
        height=height,
    )


def _about(task: TaskView, now_at: float) -> list[Part]:
    """Say what a task is called in full, and what became of it."""
    what, style = _what(task, now_at)
    waited = "" if task.wait_s is None else f"waited {duration(task.wait_s)}"
    return [
        (clean(task.id), STRONG),
        (clean(task.name), PLAIN),
        (f"on {clean(task.node)}" if task.node else "", PLAIN),
        (what, style),
        (waited, DIM),
        (clean(pairs(task.labels)), DIM),
    ]


def _cells(task: TaskView, now_at: float) -> list[Part]:
    look = task_look(task.state)
    is_running = task.state == "running"
    ran_s = max(0.0, now_at - task.started_at) if is_running and task.started_at else task.run_s
    return [
        (look.text, look.style),
        (clean(task.name), PLAIN),
        (ago(task.submitted_at, now_at), PLAIN),
        (clean(task.node or task.target or ""), PLAIN),
        (str(task.attempt or ""), PLAIN if task.attempt <= 1 else WARN),
        ("" if ran_s is None else span(ran_s), PLAIN),
        ("" if task.wait_s is None else span(task.wait_s), DIM),
        _what(task, now_at),
        (clean(task.id), DIM),
    ]


def _what(task: TaskView, now_at: float) -> Part:
    """Say how far a task is, or what became of it."""
    if task.error is not None and task.state != "running":
        said = ": ".join(filter(None, [task.error.type or task.error.kind, task.error.message]))
        return (clean(said), WARN)
    if task.state == "running":
        return (progress_text(task.progress), BUSY) if task.progress else ("", PLAIN)
    if task.state == "scheduled" and task.due_at is not None:
        return (f"in {ago(task.due_at, now_at).lstrip('+')}", DIM)
    return ("", PLAIN)


def progress_text(progress: Progress) -> str:
    """Show progress as a bar with its share and message; where the end is not known, as a number."""
    message = clean(progress.message)
    if not progress.total:
        return f"{progress.done:g} {message}".rstrip()
    share = min(1.0, max(0.0, progress.done / progress.total))
    filled, empty = bar(share, PROGRESS_CELLS)
    return f"{filled}{empty} {share:4.0%} {message}".rstrip()


def span(seconds: float) -> str:
    """Show a time span; from a second on without fractions that change with each picture."""
    return duration(seconds) if seconds < 10 else duration(int(seconds)).replace(".0 s", " s")
