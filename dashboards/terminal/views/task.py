"""All about one task: its facts, why it is where it is, its attempts, its error, what went in and out, and its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from dashboards.terminal.looks import BUSY, DIM, PLAIN, STRONG, WARN, WELL, task_look
from dashboards.terminal.scrolling import page
from dashboards.terminal.snapshot import Detail, Snapshot
from dashboards.terminal.state import State
from dashboards.terminal.texts import clean, clean_lines, cut, line, padded, width_of, wrapped
from dashboards.terminal.timeline import timeline
from dashboards.terminal.views.tasks import progress_text
from moorline.views import LogLine, Problem, TaskView
from moorline.words import ago, clock, duration, moment, pairs

LABEL_CELLS: Final = 10
# A document is read by scrolling; what is behind so many lines belongs into `moorline task get`.
DOCUMENT_LINES_MAX: Final = 400
# Nodes that do not run a task, and why: the hub tells of each; more than this is no longer read.
REASONS_MAX: Final = 40
# Of an error's message; its traceback ends with all of it.
ERROR_LINES_MAX: Final = 6
# Names of nodes have at least so many cells, if they need them.
NODE_CELLS_MIN: Final = 16
# The newest lines of the log are those that matter.
LOG_LINES_MAX: Final = 1000

_NODE_AWAY: Final = (
    "Its node is unreachable. The attempt may go on there; the hub waits for the node, or for the lease to end."
)

_REASON_STYLES: Final = {"can_run": WELL, "running_here": BUSY, "busy": PLAIN}
_LEVEL_STYLES: Final = {"WARNING": WARN, "ERROR": WARN, "CRITICAL": WARN, "DEBUG": DIM}


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    lines = content(snapshot, state, width)
    return page(lines, state.task_top, height)


def content(snapshot: Snapshot, state: State, width: int) -> list[Text]:
    """Give all lines, of which some are seen."""
    detail = snapshot.detail
    if detail is None or detail.task_id != state.task_id:
        detail = _from_the_list(snapshot, state.task_id)
    if not state.task_id:
        said = "No task is open: choose one in the tasks (3) or events (5) and press Enter."
        return [line((part, DIM)) for part in wrapped(said, width, 3)]
    if detail is None or (detail.task is None and not detail.problem):
        if snapshot.link.state in {"away", "refused"}:
            said = f"Task {clean(state.task_id)} was not read yet; it will be when the hub is back."
            return [line((part, DIM)) for part in wrapped(said, width, 3)]
        return [line((f"Reading task {clean(state.task_id)} …", DIM))]
    if detail.task is None:
        return [line((f"✗ {part}" if not number else part, WARN))
                for number, part in enumerate(wrapped(clean(detail.problem), width - 2, 4))]  # fmt: skip
    return list(_all(snapshot, detail, detail.task, width))


def _from_the_list(snapshot: Snapshot, task_id: str) -> Detail | None:
    """Give what the list tells of a task, until more is read of it; of a hub that is away that is all."""
    found = next((task for task in snapshot.tasks.rows if task.id == task_id), None)
    return Detail(task_id=task_id, task=found) if found is not None else None


def _all(snapshot: Snapshot, detail: Detail, task: TaskView, width: int) -> Iterator[Text]:
    """Give everything, what somebody asks first on top: how it is, and why."""
    yield _head(task)
    if detail.explanation is not None and not task.is_final:
        yield from _why(detail, width)
        yield line()
    elif task.state == "running" and task.node in snapshot.unreachable_ids:
        yield from (line((part, WARN)) for part in wrapped(_NODE_AWAY, width, 3))
    if task.error is not None:
        # Of a task that is tried again it is what became of an earlier attempt.
        said = f"{'' if task.is_final else 'an earlier attempt: '}{_error(task.error)}"
        yield from (line((part, WARN)) for part in wrapped(said, width, ERROR_LINES_MAX))
    yield from _facts(task, snapshot.now_at, width)
    drawn = timeline(detail.attempts, task.submitted_at, snapshot.now_at, width)
    if drawn:
        yield from (line(), _title("attempts"), *drawn)
    if task.error is not None and task.error.traceback:
        yield from (line(), _title("traceback"))
        yield from (line((cut(part, width), DIM)) for part in clean_lines(task.error.traceback)[-DOCUMENT_LINES_MAX:])
    if detail.logs is not None and (detail.logs.lines or detail.logs.dropped):
        yield from _log(detail.logs.lines, detail.logs.dropped, width)
    yield from _document("payload", detail.payload, width)
    yield from _document("value", detail.value, width)


def _title(text: str) -> Text:
    return line((text, STRONG))


def _error(error: Problem) -> str:
    return clean(": ".join(filter(None, [error.type or error.kind, error.message])))


def _head(task: TaskView) -> Text:
    look = task_look(task.state)
    attempt = f"attempt {task.attempt}" if task.attempt else ""
    tried = [f"{count} {word}" for count, word in ((task.failures, "failed"), (task.losses, "lost")) if count]
    first = line((look.text, look.style), "  ", (clean(task.name), STRONG))
    said = [clean(task.node or ""), attempt, *tried]
    first.append("  " + "  ".join(filter(None, said)))
    return first


def _facts(task: TaskView, now_at: float, width: int) -> Iterator[Text]:
    facts: list[tuple[str, str, str]] = [("task", clean(task.id), PLAIN)]
    if task.progress is not None and not task.is_final:
        facts.append(("progress", progress_text(task.progress), BUSY))
    facts += [(label, text, PLAIN) for label, text in _times(task, now_at)]
    facts += [
        (label, clean(text), PLAIN)
        for label, text in (
            ("requires", pairs(task.requires)),
            ("target", task.target or ""),
            ("labels", pairs(task.labels)),
            ("group", task.group or ""),
            ("priority", str(task.priority) if task.priority else ""),
        )
        if text
    ]
    for label, text, style in facts:
        yield line((padded(label, LABEL_CELLS), DIM), (cut(text, max(1, width - LABEL_CELLS)), style))


def _times(task: TaskView, now_at: float) -> list[tuple[str, str]]:
    waited = "" if task.wait_s is None else f", waited {duration(task.wait_s)}"
    ran = "" if task.run_s is None else f", ran {duration(task.run_s)}"
    rows = [
        ("submitted", task.submitted_at, ""),
        ("due", task.due_at if task.state == "scheduled" else None, ""),
        ("deadline", task.deadline_at, ""),
        ("started", task.started_at, waited),
        ("finished", task.finished_at, ran),
    ]
    return [(label, f"{moment(at)} ({_away(at, now_at)}){more}") for label, at, more in rows if at is not None]


def _away(at: float, now_at: float) -> str:
    away = ago(at, now_at)
    return f"in {away[1:]}" if away.startswith("+") else f"{away} ago"


def _why(detail: Detail, width: int) -> Iterator[Text]:
    explanation = detail.explanation
    if explanation is None:
        return
    place = f" (number {explanation.position:,} in the queue)" if explanation.position else ""
    for number, part in enumerate(wrapped(clean(explanation.summary) + place, width - 5, 4)):
        yield line(("why  " if not number else "     ", STRONG), (part, WARN))
    order = {"running_here": 0, "can_run": 1, "busy": 2}
    reasons = sorted(explanation.nodes, key=lambda node: (order.get(node.reason, 3), node.node_id))
    widest = max((width_of(clean(reason.node_id)) for reason in reasons[:REASONS_MAX]), default=0)
    node_cells = min(widest, max(NODE_CELLS_MIN, width // 3))
    for reason in reasons[:REASONS_MAX]:
        yield line(
            "     ",
            (padded(clean(reason.node_id), node_cells, is_name=True), PLAIN),
            (padded(f" {reason.reason}", 17), _REASON_STYLES.get(reason.reason, WARN)),
            (cut(f" {clean(reason.detail)}", max(1, width - node_cells - 22)), DIM),
        )
    if len(reasons) > REASONS_MAX:
        yield line((f"     and {len(reasons) - REASONS_MAX} more nodes", DIM))


def _log(lines: Sequence[LogLine], dropped: int, width: int) -> Iterator[Text]:
    yield line()
    more = f"  {dropped:,} lines were dropped" if dropped else ""
    yield line(("log", STRONG), (f"  newest first{more}", DIM))
    for entry in reversed(lines[-LOG_LINES_MAX:]):
        head = f"{clock(entry.at)}  {entry.attempt} {padded(clean(entry.level), 7)}  "
        parts = clean_lines(entry.message) or [""]
        for number, part in enumerate(parts):
            before = head if not number else " " * len(head)
            for piece in wrapped(part, max(20, width - len(head)), 3):
                yield line((before, DIM), (piece, _LEVEL_STYLES.get(entry.level.upper(), PLAIN)))
                before = " " * len(head)


def _document(title: str, text: str, width: int) -> Iterator[Text]:
    if not text:
        return
    yield line()
    yield _title(title)
    lines = clean_lines(text)
    for each in lines[:DOCUMENT_LINES_MAX]:
        yield from (line(part) for part in wrapped(each, width, 4))
    if len(lines) > DOCUMENT_LINES_MAX:
        yield line((f"… {len(lines) - DOCUMENT_LINES_MAX:,} more lines", DIM))
