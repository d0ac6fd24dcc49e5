"""How many lines each part of the picture has, and the places in lists brought in line with what is in them. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dashboards.terminal.bindings import row_ids
from dashboards.terminal.header import header_height
from dashboards.terminal.scrolling import clamped_top
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import LISTS, Help, State, View
from dashboards.terminal.views import help, task  # noqa: A004  # the page's name
from dashboards.terminal.views.table import rows_fitting

FOOTER_LINES: Final = 1


def body_height(snapshot: Snapshot, width: int, height: int) -> int:
    """Give how many lines are between header and footer."""
    return height - header_height(snapshot, width, height) - FOOTER_LINES


def rows_shown(snapshot: Snapshot, state: State, width: int, height: int) -> int:
    """Give how many rows of the list that is to be seen fit."""
    room = body_height(snapshot, width, height)
    if state.view not in LISTS:
        return max(1, room)
    return rows_fitting(room, has_strip=state.view is View.NODES)


def settled(snapshot: Snapshot, state: State, width: int, height: int) -> State:
    """Give the state with its place in a list that may have changed since."""
    room = body_height(snapshot, width, height)
    if isinstance(state.dialog, Help):
        count = len(help.content(state, width, room))
        state = replace(state, dialog=Help(clamped_top(state.dialog.top, count, room)))
    if state.view is View.TASK:
        count = len(task.content(snapshot, state, width))
        return replace(state, task_top=clamped_top(state.task_top, count, room))
    ids = row_ids(snapshot, state)
    return state.with_place(state.place.settled(ids, rows_shown(snapshot, state, width, height)))
