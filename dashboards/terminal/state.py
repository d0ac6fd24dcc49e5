"""What somebody looks at: the view, the place in each list, filters, and a question that waits for its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal, TypeAlias

from dashboards.terminal.scrolling import window

ActionName: TypeAlias = Literal["drain", "cancel", "retry"]


class View(IntEnum):
    """The views, by the keys that open them."""

    OVERVIEW = 1
    NODES = 2
    TASKS = 3
    TASK = 4
    EVENTS = 5


LISTS: Final = frozenset({View.NODES, View.TASKS, View.EVENTS})

# How the hub can sort nodes, and in which words; what needs a look comes first, if nothing else is asked for.
NODE_SORTS: Final[tuple[tuple[str, str], ...]] = (
    ("state", "worst state first"),
    ("id", "by id"),
    ("-used", "busiest first"),
    ("-seen", "silent longest first"),
    ("-rtt", "slowest link first"),
    ("-outbox", "fullest outbox first"),
    ("-connects", "most connects first"),
    ("-failed", "most failures first"),
)
# The hub gives tasks by age. What is read of them can be put in another order here, and the picture says so.
TASK_SORTS: Final[tuple[tuple[str, str], ...]] = (
    ("newest", "newest first"),
    ("state", "by state"),
    ("name", "by name"),
    ("-run", "longest run first"),
    ("-wait", "longest wait first"),
)


# Nobody remembers more steps.
TRAIL_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one is in a list. While ``chosen_id`` is empty the first row is chosen, whatever it is."""

    chosen_id: str = ""
    index: int = 0
    top: int = 0

    def settled(self, ids: Sequence[str], height: int) -> Place:
        """Give the place in a list that has changed: on the same row if it is still there, else where it was."""
        if not ids:
            return Place()
        index = min(self.index, len(ids) - 1)
        if self.chosen_id and (index >= len(ids) or ids[index] != self.chosen_id):
            try:
                index = ids.index(self.chosen_id)
            except ValueError:
                index = min(self.index, len(ids) - 1)
        chosen = ids[index] if self.chosen_id else ""
        index = index if chosen else 0
        return Place(chosen_id=chosen, index=index, top=window(self.top, index, height, len(ids)))

    def moved(self, by: int, ids: Sequence[str], height: int) -> Place:
        """Give the place so many rows further down. At the very top the first row is followed, not the task in it."""
        if not ids:
            return Place()
        index = max(0, min(len(ids) - 1, self.index + by))
        return Place(chosen_id=ids[index] if index else "", index=index, top=window(self.top, index, height, len(ids)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterInput:
    """A filter that is being typed. ``cursor``: behind so many characters."""

    text: str = ""
    cursor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that is done only if it is confirmed.

    ``ids``: the one that is chosen, none if it cannot be meant; ``label`` what it is called; ``filter``: what is shown,
    so that all of it can be meant; ``matched``: how many that are, None while they are being counted.
    """

    action: ActionName
    ids: tuple[str, ...]
    label: str
    filter: str = ""
    matched: int | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """The page that names all keys, from the line ``top`` on."""

    top: int = 0


Dialog: TypeAlias = FilterInput | Question | Help


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that keys change. Frozen; each key gives another one.

    Attributes:
        view: what is to be seen.
        trail: what was looked at before Enter or a filter led here, the last at the end; Esc leads back along it.
        is_still: the picture stands still.
        is_beside_hub: the hub runs in the same terminal, and goes on if the picture is left.
        notice: what came of the last action, until the next key.
    """

    view: View = View.OVERVIEW
    trail: tuple[State, ...] = ()
    overview: Place = Place()
    nodes: Place = Place()
    tasks: Place = Place()
    events: Place = Place()
    task_top: int = 0
    task_id: str = ""
    node_filter: str = ""
    task_filter: str = ""
    event_filter: str = ""
    node_sort: int = 0
    task_sort: int = 0
    dialog: Dialog | None = None
    is_still: bool = False
    is_beside_hub: bool = False
    notice: str = ""

    @property
    def filter(self) -> str:
        """The filter of the list that is to be seen."""
        match self.view:
            case View.NODES:
                return self.node_filter
            case View.TASKS:
                return self.task_filter
            case View.EVENTS:
                return self.event_filter
            case _:
                return ""

    @property
    def place(self) -> Place:
        """The place in the list that is to be seen."""
        match self.view:
            case View.OVERVIEW:
                return self.overview
            case View.NODES:
                return self.nodes
            case View.EVENTS:
                return self.events
            case _:
                return self.tasks

    def with_filter(self, text: str) -> State:
        """Give the state with another filter for this list, and at its beginning."""
        match self.view:
            case View.NODES:
                return replace(self, node_filter=text, nodes=Place())
            case View.TASKS:
                return replace(self, task_filter=text, tasks=Place())
            case View.EVENTS:
                return replace(self, event_filter=text, events=Place())
            case _:
                return self

    def with_place(self, place: Place) -> State:
        """Give the state at another place in this list."""
        match self.view:
            case View.OVERVIEW:
                return replace(self, overview=place)
            case View.NODES:
                return replace(self, nodes=place)
            case View.TASKS:
                return replace(self, tasks=place)
            case View.EVENTS:
                return replace(self, events=place)
            case _:
                return self


def went_on(before: State, after: State) -> State:
    """Give the state to which something led that Esc takes back."""
    trail = (*before.trail, replace(before, trail=(), dialog=None, notice=""))[-TRAIL_MAX:]
    return replace(after, trail=trail)


def went_back(state: State) -> State:
    """Give the state one step back along the trail, if there is one; the order of lists stays."""
    if not state.trail:
        return state
    return replace(state.trail[-1], trail=state.trail[:-1], node_sort=state.node_sort, task_sort=state.task_sort)


def noted(state: State, text: str) -> State:
    """Give the state with a line that says what came of something."""
    return replace(state, notice=text)


def counted(state: State, question: Question, matched: int) -> State:
    """Give the state once the hub has counted what a question means; nothing if it is no longer asked."""
    if state.dialog != question:
        return state
    if not matched and not question.ids:
        # There is nothing left to ask.
        verb = "run again" if question.action == "retry" else "cancelled"
        return replace(state, dialog=None, notice=f"no task that matches can be {verb}")
    return replace(state, dialog=replace(question, matched=matched))


# --- intents: what keys want done outside of the picture -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """Give the terminal back and stop, until the shell says go on."""


@dataclass(frozen=True, slots=True)
class Redraw:
    """Draw everything anew: something else wrote on the screen."""


@dataclass(frozen=True, slots=True)
class Count:
    """Ask the hub how many tasks a question means."""

    question: Question


@dataclass(frozen=True, slots=True)
class Act:
    """Do what was asked about with these."""

    action: ActionName
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActOnAll:
    """Do what was asked about with all tasks that match."""

    action: ActionName
    filter: str


Intent: TypeAlias = Quit | Suspend | Redraw | Count | Act | ActOnAll
