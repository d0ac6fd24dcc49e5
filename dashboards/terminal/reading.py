"""Reads from a hub what a snapshot needs: one call each, the answers as the snapshot's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dashboards.terminal.snapshot import Attempt, Listing, MapNode
from dashboards.terminal.state import TASK_SORTS
from moorline.client import Client
from moorline.views import NodeView, TaskView

# More rows of a list than this are not read: a filter finds what is behind them.
ROWS_MAX: Final = 1_000
# Rows are read in such steps, so that scrolling by one row does not change what is asked for.
ROWS_STEP: Final = 100


def rounded(rows: int) -> int:
    """Give how many rows to read so that so many are there."""
    return min(ROWS_MAX, -(-max(1, rows) // ROWS_STEP) * ROWS_STEP)


async def read_nodes(client: Client, filter_text: str, sort: int, rows: int) -> Listing[NodeView]:
    """Read nodes, as many as are needed."""
    del filter_text, sort
    nodes = await client.nodes()
    count = rounded(rows)
    return Listing(rows=tuple(nodes[:count]), total=len(nodes), is_more=len(nodes) > count, is_read=True)


async def read_map(client: Client) -> tuple[MapNode, ...]:
    """Read the whole fleet, a few numbers for each node."""
    return tuple(
        MapNode(node.id, node.state, node.slots, node.slots_in_use or 0, node.cordoned) for node in await client.nodes()
    )


async def read_tasks(client: Client, filter_text: str, sort: int, rows: int) -> Listing[TaskView]:
    """Read the newest tasks that match, as many as are needed, and put them in order."""
    del filter_text
    count = rounded(rows)
    tasks = [task async for task in client.list(limit=count)]
    return Listing(rows=sorted_tasks(tasks, TASK_SORTS[sort][0]), is_more=len(tasks) == count, is_read=True)


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


def attempts_of(task: TaskView) -> tuple[Attempt, ...]:
    """Give the one attempt that a task itself tells of."""
    if not task.attempt or task.started_at is None:
        return ()
    outcome = task.state if task.is_final else None
    return (Attempt(task.attempt, task.node or "", task.started_at, task.finished_at, outcome, task.run_s, task.error),)
