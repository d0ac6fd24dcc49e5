"""The tasks as a table, newest first: state, name, node, attempt, age, and how far each is or what went wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from rich.text import Text

from dashboards.charts import bar
from dashboards.terminal.columns import Column
from dashboards.terminal.looks import BUSY, DIM, PLAIN, STRONG, WARN, task_look
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import TASK_SORTS, State
from dashboards.terminal.task_times import WAITING, ran_s, waited_s
from dashboards.terminal.texts import Part, clean
from dashboards.terminal.troubles import OLDEST_WAITS_S, class_words, why_nobody
from dashboards.terminal.views.table import table
from moorline.views import Explanation, Progress, TaskView
from moorline.words import ago, duration, pairs

PROGRESS_CELLS: Final = 10

COLUMNS: Final = (
    Column(title="STATE", width=11),
    Column(title="NAME", width=8, width_max=64, is_name=True),
    Column(title="AGE", rank=1, width=4, is_right=True),
    Column(title="NODE", rank=3, width=10, width_max=40, is_name=True),
    Column(title="TRY", rank=4, width=3, is_right=True),
    Column(title="RAN", rank=5, width=7, is_right=True),
    Column(title="WAITED", rank=7, width=7, is_right=True),
    Column(title="PROGRESS / WHY", rank=2, width=16, width_max=120, share=3),
    Column(title="ID", rank=8, width=26, width_max=40),
)


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    listing, known = snapshot.tasks, _Known.of(snapshot)
    order = TASK_SORTS[state.task_sort][1]
    if state.task_sort and listing.is_more:
        order = f"the newest {len(listing.rows):,} {order}"
    return table(
        "tasks",
        listing,
        state.tasks,
        order=order,
        columns=COLUMNS,
        cells_of=lambda task: _cells(task, known),
        about=lambda task, titles: _about(task, known, titles),
        empty="There is no task yet; `moorline submit NAME` submits one.",
        width=width,
        height=height,
        is_hub_here=snapshot.link.state in {"live", "connecting"},
    )


class _Known(NamedTuple):
    """What is known beside a task, and tells why it is where it is."""

    now_at: float
    why_nobody: Mapping[str, str]
    away: frozenset[str]
    explanation: Explanation | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Known:
        """Take it from a snapshot."""
        return cls(snapshot.now_at, why_nobody(snapshot), frozenset(snapshot.unreachable_ids), snapshot.explanation)


def _about(task: TaskView, known: _Known, titles: Collection[str]) -> list[Part]:
    """Say what a task is called in full, and what became of it."""
    what, style = _what(task, known)
    explanation = known.explanation
    if explanation is not None and explanation.task_id == task.id and task.state in WAITING:
        what, style = clean(explanation.summary), WARN
    waits_s = waited_s(task, known.now_at)
    waited = "" if waits_s is None or "WAITED" in titles else f"waited {span(waits_s)}"
    return [
        (clean(task.id), STRONG),
        (what, style),
        (clean(task.name), PLAIN),
        (f"on {clean(task.node)}" if task.node else "", PLAIN),
        (waited.replace("waited", "waits") if task.state == "queued" else waited, DIM),
        (clean(pairs(task.labels)), DIM),
    ]


def _cells(task: TaskView, known: _Known) -> list[Part]:
    look = task_look(task.state)
    run_s, wait_s = ran_s(task, known.now_at), waited_s(task, known.now_at)
    is_late = task.state == "queued" and (wait_s or 0.0) >= OLDEST_WAITS_S
    return [
        (look.text, look.style),
        (clean(task.name), PLAIN),
        (ago(task.submitted_at, known.now_at), PLAIN),
        (clean(task.node or task.target or ""), PLAIN),
        (str(task.attempt or ""), PLAIN if task.attempt <= 1 else WARN),
        ("" if run_s is None else span(run_s), PLAIN),
        ("" if wait_s is None else span(wait_s), WARN if is_late else DIM),
        _what(task, known),
        (clean(task.id), DIM),
    ]


def _what(task: TaskView, known: _Known) -> Part:
    """Say how far a task is, what it waits for, or what became of it."""
    if task.state == "running":
        return _how_far(task, known)
    if task.error is not None:
        said = ": ".join(filter(None, [task.error.type or task.error.kind, task.error.message]))
        return (clean(said), WARN)
    if task.state == "scheduled" and task.due_at is not None:
        return (f"in {ago(task.due_at, known.now_at).lstrip('+')}", DIM)
    if task.state == "queued":
        return _wants(task, known)
    return ("", PLAIN)


def _how_far(task: TaskView, known: _Known) -> Part:
    progress = progress_text(task.progress) if task.progress else ""
    if task.node in known.away:
        # It may go on there; nobody hears of it.
        return ("  ".join(filter(None, ["its node is unreachable", progress])), WARN)
    return (progress, BUSY)


def _wants(task: TaskView, known: _Known) -> Part:
    """Say what a task wants that not every node has; if no node has it, that."""
    nobody = known.why_nobody.get(class_words(task))
    if nobody:
        return (nobody, WARN)
    wanted = [f"needs {clean(pairs(task.requires))}"] if task.requires else []
    if task.target:
        away = ", which is unreachable" if task.target in known.away else ""
        wanted.insert(0, f"only on {clean(task.target)}{away}")
    if task.deadline_at is not None:
        wanted.append(f"expires in {ago(task.deadline_at, known.now_at).lstrip('+')}")
    return (", ".join(wanted), WARN if task.target in known.away else DIM)


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
