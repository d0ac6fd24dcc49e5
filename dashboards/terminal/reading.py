"""Reads from a hub what a snapshot needs: one call each, the answers as the snapshot's values."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from dashboards.terminal.snapshot import Alert, Attempt, Detail, ErrorGroup, Listing, MapNode, Presence, Span, Trends
from dashboards.terminal.state import NODE_SORTS, TASK_SORTS
from dashboards.terminal.task_times import WAITING, ran_s, waited_s
from moorline.client import Client
from moorline.errors import NotFoundError
from moorline.views import Event, NodeView, TaskView

# More rows of a list than this are not read: a filter finds what is behind them. The hub gives no more in one page.
ROWS_MAX: Final = 1_000
# What is behind so many characters of a payload or value belongs into `moorline task get`.
DOCUMENT_CHARACTERS_MAX: Final = 32_768
# The last ten minutes, in the hub's finest steps.
STEP_S: Final = 10
TREND_STEPS: Final = 60
TREND_S: Final = STEP_S * TREND_STEPS
# Alerts that ended longer ago belong to another night, and their time of day alone would not tell which.
OVER_WITHIN_S: Final = 12 * 3600.0
# More groups of errors than this fit on no screen.
ERRORS_MAX: Final = 20
# Rows are read in such steps, so that scrolling by one row does not change what is asked for.
ROWS_STEP: Final = 50


def rounded(rows: int) -> int:
    """Give how many rows to read so that so many are there."""
    return min(ROWS_MAX, -(-max(1, rows) // ROWS_STEP) * ROWS_STEP)


async def read_nodes(client: Client, filter_text: str, sort: int, rows: int) -> Listing[NodeView]:
    """Read nodes, as many as are needed."""
    page = await client.node_page(filter_text, sort=NODE_SORTS[sort][0], limit=rounded(rows))
    return Listing(
        rows=tuple(page.nodes), total=page.total, is_more=page.cursor is not None, filter=filter_text, is_read=True
    )


async def read_presence(client: Client, node_id: str) -> Presence:
    """Read when a node was here in the last 24 hours."""
    history = await client.node_history(node_id)
    spans = tuple(Span(span.began_at, span.ended_at, span.state) for span in history.spans)
    return Presence(node_id, history.since, history.until, spans)


async def read_map(client: Client) -> tuple[MapNode, ...]:
    """Read the whole fleet, a few numbers for each node."""
    return tuple(
        MapNode(cell.id, cell.state, cell.slots, cell.slots_in_use, cell.cordoned) for cell in await client.slot_map()
    )


async def read_tasks(client: Client, filter_text: str, sort: int, rows: int, now_at: float) -> Listing[TaskView]:
    """Read the newest tasks that match, as many as are needed, and put them in order."""
    page = await client.task_page(filter_text, limit=rounded(rows))
    return Listing(
        rows=sorted_tasks(page.tasks, TASK_SORTS[sort][0], now_at),
        is_more=page.cursor is not None,
        filter=filter_text,
        is_read=True,
    )


def sorted_tasks(tasks: list[TaskView], order: str, now_at: float) -> tuple[TaskView, ...]:
    """Put tasks in another order than that of their age."""
    keys: dict[str, Callable[[TaskView], Any]] = {
        "state": lambda task: _STATE_ORDER.get(task.state, len(_STATE_ORDER)),
        "name": lambda task: task.name,
        "-run": lambda task: -(ran_s(task, now_at) or 0.0),
        "-wait": lambda task: -(waited_s(task, now_at) or 0.0),
    }
    key = keys.get(order)
    return tuple(tasks) if key is None else tuple(sorted(tasks, key=key))


# What somebody looks for comes first.
_STATE_ORDER: Final = {
    state: place
    for place, state in enumerate(
        ("lost", "failed", "running", "queued", "scheduled", "expired", "cancelled", "succeeded")
    )
}


async def read_trends(client: Client, now_at: float) -> Trends:
    """Read the last ten minutes. A step in which no hub ran is a gap."""
    history = await client.history(step_s=STEP_S, since=now_at - TREND_S)
    ended = (history.succeeded, history.failed, history.cancelled, history.expired, history.lost)
    columns: dict[str, Sequence[float | None]] = {
        "finished": [sum(counts) / STEP_S for counts in zip(*ended, strict=True)],
        "failed": [count / STEP_S for count in history.failed],
        "queued": history.queued,
        "running": history.running,
        "wait": history.wait_p95_s,
        "run": history.run_p95_s,
    }
    places = [TREND_STEPS - 1 - round((now_at - at) / STEP_S) for at in history.at]
    return Trends(step_s=STEP_S, columns={name: _placed(values, places) for name, values in columns.items()})


def _placed(values: Sequence[float | None], places: Sequence[int]) -> tuple[float | None, ...]:
    made: list[float | None] = [None] * TREND_STEPS
    for place, value in zip(places, values, strict=True):
        if 0 <= place < TREND_STEPS:
            made[place] = value
    return tuple(made)


async def read_alerts(client: Client, now_at: float) -> tuple[tuple[Alert, ...], tuple[Event, ...]]:
    """Read the alerts that are not over, and those that ended lately as the events that they were, newest first."""
    read = await client.alerts()
    kinds = {rule.name: rule.kind for rule in read.rules}
    unfinished = tuple(
        Alert(
            rule=alert.rule,
            severity=alert.severity,
            subject=alert.subject,
            state=alert.state,
            message=alert.message,
            since_at=alert.fired_at or alert.since_at,
            is_silenced=alert.silenced_until is not None and alert.silenced_until > now_at,
            kind=kinds.get(alert.rule, alert.rule),
            silenced_until_at=alert.silenced_until,
        )
        for alert in read.alerts
        if alert.state != "resolved"
    )
    over = [
        Event(kind="alert.resolved", at=alert.resolved_at, name=alert.rule, reason=alert.message)
        for alert in read.alerts
        if alert.resolved_at is not None and now_at - alert.resolved_at < OVER_WITHIN_S
    ]
    return unfinished, tuple(sorted(over, key=lambda event: -event.at))


async def read_errors(client: Client) -> tuple[ErrorGroup, ...]:
    """Read what failed lately, the newest first."""
    return tuple(
        ErrorGroup(
            id=group.id,
            name=group.name,
            what=": ".join(filter(None, [group.type or group.kind, group.message])),
            place=group.place,
            tasks=group.count,
            last_at=group.last_at,
            first_at=group.first_at,
            kind=group.kind,
        )
        for group in await client.errors(limit=ERRORS_MAX)
    )


async def read_detail(client: Client, task_id: str) -> Detail:
    """Read all about one task."""
    try:
        task = await client.get(task_id)
        attempts = await client.attempts(task_id)
        logs = await client.logs(task_id)
        # Where a task runs it says itself; why it does not run yet, only the hub, which looks at each node for that.
        explanation = await client.explain(task_id) if task.state in WAITING else None
    except NotFoundError as error:
        return Detail(task_id=task_id, problem=str(error))
    return Detail(
        task_id=task_id,
        task=task,
        attempts=tuple(
            Attempt(each.attempt, each.node, each.started_at, each.ended_at, each.outcome, each.run_s, each.error)
            for each in attempts
        ),
        logs=logs,
        explanation=explanation,
        payload=document(task.payload),
        value=document(task.value) if task.state == "succeeded" else "",
    )


def document(value: object) -> str:
    """Give a JSON value as text, cut where nobody reads on."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if len(text) <= DOCUMENT_CHARACTERS_MAX:
        return text
    return f"{text[:DOCUMENT_CHARACTERS_MAX]}\n… {len(text) - DOCUMENT_CHARACTERS_MAX:,} more characters"
