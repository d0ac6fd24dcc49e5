"""What is looked at, as far as it decides what must be read of the hub. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.terminal.bindings import chosen_node, chosen_task
from dashboards.terminal.pressing import rows_wanted
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import State, View
from dashboards.terminal.task_times import WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is looked at. ``rows``: so many of a list must be there; ``node_id``: the chosen node;
    ``waiting_id``: the chosen task, if it waits.
    """

    view: View = View.OVERVIEW
    node_filter: str = ""
    task_filter: str = ""
    event_filter: str = ""
    node_sort: int = 0
    task_sort: int = 0
    task_id: str = ""
    node_id: str = ""
    waiting_id: str = ""
    rows: int = 50


def look_of(snapshot: Snapshot, state: State, height: int) -> Look:
    """Give what must be read for this to be seen on a screen of so many lines."""
    node, task = chosen_node(snapshot, state), chosen_task(snapshot, state)
    is_waiting = state.view is View.TASKS and task is not None and task.state in WAITING
    return Look(
        view=state.view,
        node_filter=state.node_filter,
        task_filter=state.task_filter,
        event_filter=state.event_filter,
        node_sort=state.node_sort,
        task_sort=state.task_sort,
        task_id=state.task_id,
        node_id=node.id if node is not None else "",
        waiting_id=task.id if is_waiting and task is not None else "",
        rows=rows_wanted(state, height),
    )


def to_read(before: Look, after: Look) -> set[str]:
    """Give what must be read at once, by the names of `Source`'s jobs, because something else is looked at."""
    names: set[str] = set()
    if (before.view, before.node_filter, before.node_sort) != (after.view, after.node_filter, after.node_sort):
        names.add("nodes")
    if (before.view, before.task_filter, before.task_sort) != (after.view, after.task_filter, after.task_sort):
        names.add("tasks")
    if after.rows > before.rows:
        names |= {"nodes", "tasks"}
    if (before.view, before.task_id) != (after.view, after.task_id):
        names |= {"detail", "map", "trends", "errors", "alerts"}
    if before.node_id != after.node_id:
        names.add("presence")
    if before.waiting_id != after.waiting_id:
        names.add("explanation")
    return names
