"""Reads from a hub what a snapshot needs: one call each, the answers as the snapshot's values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from dashboards.terminal.snapshot import Attempt, Detail, Listing, MapNode
from dashboards.terminal.state import NODE_SORTS, TASK_SORTS
from moorline.client import Client
from moorline.errors import NotFoundError
from moorline.views import NodeView, TaskView

# More rows of a list than this are not read: a filter finds what is behind them. The hub gives no more in one page.
ROWS_MAX: Final = 1_000
# What is behind so many characters of a payload or value belongs into `moorline task get`.
DOCUMENT_CHARACTERS_MAX: Final = 32_768
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


async def read_map(client: Client) -> tuple[MapNode, ...]:
    """Read the whole fleet, a few numbers for each node."""
    return tuple(
        MapNode(cell.id, cell.state, cell.slots, cell.slots_in_use, cell.cordoned) for cell in await client.slot_map()
    )


async def read_tasks(client: Client, filter_text: str, sort: int, rows: int) -> Listing[TaskView]:
    """Read the newest tasks that match, as many as are needed, and put them in order."""
    page = await client.task_page(filter_text, limit=rounded(rows))
    return Listing(
        rows=sorted_tasks(page.tasks, TASK_SORTS[sort][0]),
        is_more=page.cursor is not None,
        filter=filter_text,
        is_read=True,
    )


def sorted_tasks(tasks: list[TaskView], order: str) -> tuple[TaskView, ...]:
    """Put tasks in another order than that of their age."""
    keys: dict[str, Callable[[TaskView], Any]] = {
        "state": lambda task: _STATE_ORDER.get(task.state, len(_STATE_ORDER)),
        "name": lambda task: task.name,
        "-run": lambda task: -(task.run_s or 0.0),
        "-wait": lambda task: -(task.wait_s or 0.0),
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


async def read_detail(client: Client, task_id: str) -> Detail:
    """Read all about one task."""
    try:
        task = await client.get(task_id)
        logs = await client.logs(task_id)
        explanation = None if task.is_final else await client.explain(task_id)
    except NotFoundError as error:
        return Detail(task_id=task_id, problem=str(error))
    return Detail(
        task_id=task_id,
        task=task,
        attempts=attempts_of(task),
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


def attempts_of(task: TaskView) -> tuple[Attempt, ...]:
    """Give the one attempt that a task itself tells of."""
    if not task.attempt or task.started_at is None:
        return ()
    outcome = task.state if task.is_final else None
    return (Attempt(task.attempt, task.node or "", task.started_at, task.finished_at, outcome, task.run_s, task.error),)
