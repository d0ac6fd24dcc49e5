"""Which keys do something now, and what: one table, which the footer, the help page and the keys themselves obey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import LISTS, State, View
from dashboards.terminal.troubles import troubles
from moorline.views import NodeView, TaskView

ENDED_AND_MAY_RUN_AGAIN: Final = frozenset({"failed", "lost", "cancelled", "expired"})


class Binding(NamedTuple):
    """What a key does. ``rank``: where the footer is narrow, the highest go first."""

    label: str
    word: str
    about: str
    rank: int
    works: Callable[[Snapshot, State], bool]


def _always(_snapshot: Snapshot, _state: State) -> bool:
    return True


def _is_beside_hub(_snapshot: Snapshot, state: State) -> bool:
    return state.is_beside_hub


def _has_rows(snapshot: Snapshot, state: State) -> bool:
    return bool(row_ids(snapshot, state)) or state.view is View.TASK


def _can_open(snapshot: Snapshot, state: State) -> bool:
    return bool(row_ids(snapshot, state)) and state.view is not View.TASK and chosen_target(snapshot, state)


def _can_filter(_snapshot: Snapshot, state: State) -> bool:
    return state.view in LISTS


def _can_sort(_snapshot: Snapshot, state: State) -> bool:
    return state.view in {View.NODES, View.TASKS}


def _can_drain(snapshot: Snapshot, state: State) -> bool:
    node = chosen_node(snapshot, state)
    return node is not None and node.state == "online" and snapshot.is_live and snapshot.may_operate


def _can_cancel(snapshot: Snapshot, state: State) -> bool:
    task = chosen_task(snapshot, state)
    if task is None or not snapshot.is_live or not snapshot.may_submit:
        return False
    return not task.is_final or _may_others(snapshot, state, lambda other: not other.is_final)


def _can_retry(snapshot: Snapshot, state: State) -> bool:
    task = chosen_task(snapshot, state)
    if task is None or not snapshot.is_live or not snapshot.may_submit:
        return False
    return may_run_again(task) or _may_others(snapshot, state, may_run_again)


def may_run_again(task: TaskView) -> bool:
    """Tell whether a task can be queued again."""
    return task.state in ENDED_AND_MAY_RUN_AGAIN


def _may_others(snapshot: Snapshot, state: State, is_meant: Callable[[TaskView], bool]) -> bool:
    """Tell whether a filtered list may hold others that can be meant, whatever the chosen one is."""
    if state.view is not View.TASKS or not state.task_filter:
        return False
    return snapshot.tasks.is_more or any(map(is_meant, snapshot.tasks.rows))


def _can_go_back(_snapshot: Snapshot, state: State) -> bool:
    return state.view is not View.OVERVIEW or state.is_still


BINDINGS: Final[tuple[Binding, ...]] = (
    Binding("1-5", "views", "overview, nodes, tasks, one task, events; Tab opens the next", 4, _always),
    Binding("↑↓", "move", "up and down; j and k do the same; PgUp, PgDn, Home, End", 6, _has_rows),
    Binding("enter", "open", "node: its tasks; task, event: all about it; trouble: what is behind it", 1, _can_open),
    Binding("/", "filter", "show only what matches: state=failed name~hash node=n1 age>5m", 1, _can_filter),
    Binding("s", "sort", "another order", 3, _can_sort),
    Binding("d", "drain", "have the node finish what it runs, and leave", 2, _can_drain),
    Binding("c", "cancel", "cancel the task, or all that match the filter", 2, _can_cancel),
    Binding("r", "retry", "queue the task again, or all that match the filter", 2, _can_retry),
    Binding("space", "still", "hold the picture still; space again, or whatever is opened, goes on", 5, _always),
    Binding(
        "esc",
        "back",
        "one step back: what Enter or a filter led from, then the overview",
        4,
        _can_go_back,
    ),
    Binding("?", "help", "this page", 1, _always),
    Binding("^C", "stop hub", "end the hub that runs in this terminal, in good order", 1, _is_beside_hub),
    Binding("q", "quit", "leave; the fleet goes on", 0, _always),
)
BY_LABEL: Final = {binding.label: binding for binding in BINDINGS}


def works(label: str, snapshot: Snapshot, state: State) -> bool:
    """Tell whether a key does something now."""
    return BY_LABEL[label].works(snapshot, state)


def working(snapshot: Snapshot, state: State) -> list[Binding]:
    """Give the keys that do something now."""
    return [binding for binding in BINDINGS if binding.works(snapshot, state)]


def row_ids(snapshot: Snapshot, state: State) -> Sequence[str]:
    """Give the ids of the rows of the list that is to be seen, in their order."""
    match state.view:
        case View.OVERVIEW:
            return [trouble.id for trouble in troubles(snapshot)]
        case View.NODES:
            return [node.id for node in snapshot.nodes.rows]
        case View.TASKS:
            return [task.id for task in snapshot.tasks.rows]
        case View.EVENTS:
            # Newest first; an event that is only live has no number, and is told by when it came.
            return [f"{event.id} {event.at} {event.kind} {event.task_id}" for event in snapshot.events.rows]
        case View.TASK:
            return []


def chosen_node(snapshot: Snapshot, state: State) -> NodeView | None:
    """Give the node that is chosen."""
    rows = snapshot.nodes.rows
    return rows[state.nodes.index] if state.view is View.NODES and state.nodes.index < len(rows) else None


def chosen_task(snapshot: Snapshot, state: State) -> TaskView | None:
    """Give the task that is chosen, or open."""
    if state.view is View.TASK:
        return snapshot.detail.task if snapshot.detail is not None else None
    rows = snapshot.tasks.rows
    return rows[state.tasks.index] if state.view is View.TASKS and state.tasks.index < len(rows) else None


def chosen_target(snapshot: Snapshot, state: State) -> bool:
    """Tell whether the chosen row leads anywhere."""
    if state.view is not View.EVENTS:
        return True
    rows = snapshot.events.rows
    return state.events.index < len(rows) and bool(rows[state.events.index].task_id or rows[state.events.index].node_id)
