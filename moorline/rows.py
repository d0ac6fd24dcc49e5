"""Views of tasks, nodes and events as rows and fields for people. Pure: handed the time, gives cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from moorline.presentation import Cell, Column, Styled, coloured
from moorline.views import AlertView, Event, Explanation, LogLine, NodeView, SilenceView, TaskView
from moorline.words import ago, clock, duration, moment, pairs

TASK_COLUMNS: Final = (
    Column(title="ID"),
    Column(title="NAME", is_flexible=True),
    Column(title="STATE"),
    Column(title="NODE", rank=2),
    Column(title="ATTEMPT", rank=4, is_right=True),
    Column(title="AGE", rank=1, is_right=True),
    Column(title="RAN", rank=3, is_right=True),
    Column(title="ERROR", rank=5, is_flexible=True),
)

NODE_COLUMNS: Final = (
    Column(title="ID", is_flexible=True),
    Column(title="STATE"),
    Column(title="SLOTS", rank=1, is_right=True),
    Column(title="SEEN", rank=2, is_right=True),
    Column(title="DONE", rank=3, is_right=True),
    Column(title="FAILED", rank=4, is_right=True),
    Column(title="TRIP", rank=7, is_right=True),
    Column(title="OUTBOX", rank=6, is_right=True),
    Column(title="VERSION", rank=8),
    Column(title="LABELS", rank=5, is_flexible=True),
)

REASON_COLUMNS: Final = (
    Column(title="NODE", is_flexible=True),
    Column(title="REASON"),
    Column(title="DETAIL", is_flexible=True),
)


ALERT_COLUMNS: Final = (
    Column(title="RULE"),
    Column(title="STATE"),
    Column(title="SEVERITY", rank=2),
    Column(title="SINCE", rank=1, is_right=True),
    Column(title="MESSAGE", is_flexible=True),
    Column(title="SILENCED", rank=3),
)

SILENCE_COLUMNS: Final = (
    Column(title="SILENCE"),
    Column(title="RULE"),
    Column(title="SUBJECT", is_flexible=True),
    Column(title="ENDS", is_right=True),
    Column(title="WHO", rank=2),
    Column(title="COMMENT", rank=1, is_flexible=True),
)


def task_row(task: TaskView, now_s: float) -> list[Cell]:
    """Give the cells of `TASK_COLUMNS`."""
    return [
        task.id,
        task.name,
        coloured(task.state),
        task.node or task.target or "",
        str(task.attempt),
        ago(task.submitted_at, now_s),
        duration(task.run_s),
        _problem(task),
    ]


def task_fields(task: TaskView, now_s: float) -> list[tuple[str, Cell]]:
    """Give all that there is to say about one task; what does not apply is left out."""
    waits = "" if task.wait_s is None else f", {duration(task.wait_s)} after it could have"
    fields: list[tuple[str, Cell | None]] = [
        ("task", task.id),
        ("name", task.name),
        ("state", coloured(task.state)),
        ("progress", _progress(task)),
        ("node", task.node),
        ("attempt", f"{task.attempt}{_tries(task)}" if task.attempt else None),
        ("submitted", _when(task.submitted_at, now_s)),
        ("due", _when(task.due_at, now_s) if task.state == "scheduled" else None),
        ("deadline", _when(task.deadline_at, now_s)),
        ("started", f"{_when(task.started_at, now_s)}{waits}" if task.started_at else None),
        ("finished", _when(task.finished_at, now_s)),
        ("ran", duration(task.run_s) if task.run_s is not None else None),
        ("priority", str(task.priority) if task.priority else None),
        ("requires", pairs(task.requires)),
        ("target", task.target),
        ("labels", pairs(task.labels)),
        ("group", task.group),
        ("payload", _json(task.payload)),
        ("value", _json(task.value) if task.state == "succeeded" else None),
        ("error", Styled(_problem(task), "red")),
        ("traceback", task.error.traceback.rstrip() if task.error else None),
    ]
    return _present(fields)


def node_row(node: NodeView, now_s: float) -> list[Cell]:
    """Give the cells of `NODE_COLUMNS`."""
    return [
        node.id,
        node_state(node),
        _slots(node),
        ago(node.last_seen_at, now_s),
        f"{node.totals.get('succeeded', 0):.0f}",
        f"{node.totals.get('failed', 0):.0f}",
        "" if node.round_trip_ms is None else f"{node.round_trip_ms:.1f} ms",
        "" if node.outbox is None else str(node.outbox),
        node.version,
        pairs(node.labels),
    ]


def node_fields(node: NodeView, now_s: float) -> list[tuple[str, Cell]]:
    """Give all that there is to say about one node."""
    last = node.last_disconnect
    totals = ", ".join(f"{count:.0f} {word}" for word, count in node.totals.items() if word != "run_s")
    fields: list[tuple[str, Cell | None]] = [
        ("node", node.id),
        ("name", node.name if node.name != node.id else None),
        ("state", node_state(node)),
        ("slots", f"{_slots(node)} in use"),
        ("labels", pairs(node.labels)),
        ("handlers", "\n".join(sorted(node.handlers))),
        ("version", node.version),
        ("first seen", _when(node.first_seen_at, now_s)),
        ("last seen", _when(node.last_seen_at, now_s)),
        ("connected", _when(node.connected_at, now_s)),
        ("connects", f"{node.connects}, {node.disconnects} disconnects"),
        ("last lost", f"{_when(last.at, now_s)}: {last.reason or 'no reason given'}" if last else None),
        ("totals", totals),
        ("ran", duration(node.totals.get("run_s"))),
        ("round trip", f"{node.round_trip_ms:.1f} ms" if node.round_trip_ms is not None else None),
        ("load", f"{node.load:.2f}" if node.load is not None else None),
        ("outbox", f"{node.outbox} results not yet acknowledged" if node.outbox else None),
    ]
    return _present(fields)


def node_state(node: NodeView) -> Cell:
    """Give a node's state; that it takes nothing new is part of it."""
    if node.cordoned and node.state != "gone":
        return Styled(f"{node.state}, cordoned", coloured("cordoned").style)
    return coloured(node.state)


def alert_row(alert: AlertView, now_s: float) -> list[Cell]:
    """Give the cells of `ALERT_COLUMNS`."""
    silenced = "" if alert.silenced_until is None else f"ends in {ago(alert.silenced_until, now_s).lstrip('+')}"
    at = alert.since_at if alert.resolved_at is None else alert.resolved_at
    severity = Styled(alert.severity, "bold red" if alert.severity == "critical" else "yellow")
    return [alert.rule, coloured(alert.state), severity, ago(at, now_s), alert.message, silenced]


def silence_row(silence: SilenceView, now_s: float) -> list[Cell]:
    """Give the cells of `SILENCE_COLUMNS`."""
    ends = ago(silence.until_at, now_s)
    return [silence.id, silence.rule or "all", silence.subject or "all", ends, silence.who, silence.comment]


def reason_rows(explanation: Explanation) -> list[list[Cell]]:
    """Give the cells of `REASON_COLUMNS`, those that can run it first."""
    order = {"running_here": 0, "can_run": 1, "busy": 2}
    nodes = sorted(explanation.nodes, key=lambda node: (order.get(node.reason, 3), node.node_id))
    return [[node.node_id, coloured(node.reason), node.detail] for node in nodes]


def log_line(line: LogLine, *, with_attempt: bool) -> str:
    """Give one line of a handler as text."""
    attempt = f"  attempt {line.attempt}" if with_attempt else ""
    return f"{clock(line.at)}{attempt}  {line.level:<7}  {line.message}"


def event_cells(event: Event) -> list[tuple[Cell, int]]:
    """Give the cells of one event with their widths: when, what, to which task or node, and the rest in words."""
    subject = event.task_id or event.node_id
    word = event.state or event.kind.partition(".")[2]
    return [(clock(event.at), 12), (Styled(event.kind, coloured(word).style), 16), (subject, 26), (_rest(event), 0)]


def _rest(event: Event) -> str:
    if event.kind == "reset":
        return "events were missed that the hub no longer keeps"
    said = [event.name]
    if event.task_id and event.attempt:
        said.append(f"attempt {event.attempt}")
    if event.task_id and event.node_id:
        said.append(f"on {event.node_id}")
    if event.kind == "task.progress":
        said.append(_share(event.done or 0.0, event.total))
    said += [event.level, event.message, event.reason]
    if event.error is not None:
        said.append(event.error.message or event.error.kind)
    return "  ".join(filter(None, said))


def _problem(task: TaskView) -> str:
    if task.error is None:
        return ""
    said = [task.error.type or task.error.kind, task.error.message]
    return ": ".join(filter(None, said))


def _progress(task: TaskView) -> str | None:
    if task.progress is None or task.is_final:
        return None
    share = _share(task.progress.done, task.progress.total)
    return f"{share}  {task.progress.message}".rstrip()


def _share(done: float, total: float | None) -> str:
    return f"{done:g}" if total is None else f"{done:g} of {total:g}"


def _tries(task: TaskView) -> str:
    said = [f"{count} {word}" for count, word in ((task.failures, "failed"), (task.losses, "lost")) if count]
    return f" ({', '.join(said)})" if said else ""


def _slots(node: NodeView) -> str:
    in_use = "-" if node.slots_in_use is None else node.slots_in_use
    return f"{in_use}/{node.slots}"


def _when(at: float | None, now_s: float) -> str | None:
    if at is None:
        return None
    away = ago(at, now_s)
    return f"{moment(at)} (in {away[1:]})" if away.startswith("+") else f"{moment(at)} ({away} ago)"


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _present(fields: Sequence[tuple[str, Cell | None]]) -> list[tuple[str, Cell]]:
    """Leave out what is empty."""
    return [(label, cell) for label, cell in fields if cell is not None and cell not in ("", Styled("", "red"))]
