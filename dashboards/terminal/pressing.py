"""What a key changes: a state and a key in, another state out, and what is to be done outside of the picture. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from dashboards.terminal.bindings import ENDED_AND_MAY_RUN_AGAIN, chosen_node, chosen_task, row_ids, works
from dashboards.terminal.keys import Key
from dashboards.terminal.layout import body_height, rows_shown, settled
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import (
    LISTS,
    NODE_SORTS,
    TASK_SORTS,
    Act,
    ActionName,
    ActOnAll,
    Count,
    FilterInput,
    Help,
    Intent,
    Place,
    Question,
    Quit,
    Redraw,
    State,
    Suspend,
    View,
    went_back,
    went_on,
)
from dashboards.terminal.texts import clean
from dashboards.terminal.troubles import troubles

# Longer than any filter that a person reads; the hub refuses what is longer still.
FILTER_CHARACTERS_MAX: Final = 500


class Pressed(NamedTuple):
    """The state after a key, and what is to be done."""

    state: State
    intents: tuple[Intent, ...] = ()


class Sight(NamedTuple):
    """What is on the screen when a key comes."""

    snapshot: Snapshot
    width: int
    height: int


def press(state: State, key: Key, sight: Sight) -> Pressed:
    """Give what a key leads to. A key that does nothing now leaves all as it is."""
    if key.name == "suspend":
        return Pressed(state, (Suspend(),))
    state = replace(settled(sight.snapshot, state, sight.width, sight.height), notice="")
    match state.dialog:
        case FilterInput() as typed:
            return _type(state, typed, key)
        case Question() as question:
            return _answer(state, question, key)
        case Help() as shown:
            return _read_help(state, shown, key, sight)
    command = _COMMANDS.get(key.name)
    return command(state, sight) if command is not None else Pressed(state)


# --- the help --------------------------------------------------------------------------------------------------------


def _read_help(state: State, shown: Help, key: Key, sight: Sight) -> Pressed:
    """Move in the page; any other key leaves it."""
    if key.name == "paste":
        return Pressed(state)
    page = max(1, body_height(sight.snapshot, sight.width, sight.height) - 1)
    steps = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page, "home": -_END, "end": _END}
    if key.name not in steps:
        return Pressed(replace(state, dialog=None))
    moved = replace(state, dialog=Help(max(0, shown.top + steps[key.name])))
    return Pressed(settled(sight.snapshot, moved, sight.width, sight.height))


# --- a filter that is being typed ------------------------------------------------------------------------------------


def _type(state: State, typed: FilterInput, key: Key) -> Pressed:
    if key.name == "esc":
        return Pressed(replace(state, dialog=None))
    if key.name == "enter":
        calm, text = replace(state, dialog=None), typed.text.strip()
        return Pressed(_live(went_on(calm, calm.with_filter(text)) if text != calm.filter else calm))
    return Pressed(replace(state, dialog=edited(typed, key)))


def edited(typed: FilterInput, key: Key) -> FilterInput:
    """Give the text after a key of an editor."""
    text, cursor = typed.text, typed.cursor
    before, behind = text[:cursor], text[cursor:]
    match key.name:
        case "left":
            cursor = max(0, cursor - 1)
        case "right":
            cursor = min(len(text), cursor + 1)
        case "home":
            cursor = 0
        case "end":
            cursor = len(text)
        case "backspace":
            text, cursor = before[:-1] + behind, max(0, cursor - 1)
        case "delete":
            text = before + behind[1:]
        case "clear":
            text, cursor = behind, 0
        case "erase":
            kept = before.rstrip()
            kept = kept[: kept.rfind(" ") + 1]
            text, cursor = kept + behind, len(kept)
        case name:
            added = clean(key.text) if name == "paste" else name if len(name) == 1 else ""
            added = added[: max(0, FILTER_CHARACTERS_MAX - len(text))]
            text, cursor = before + added + behind, cursor + len(added)
    return FilterInput(text=text, cursor=cursor)


# --- a question ------------------------------------------------------------------------------------------------------


def _answer(state: State, question: Question, key: Key) -> Pressed:
    calm = replace(state, dialog=None)
    if key.name in {"y", "Y"} and question.ids:
        return Pressed(calm, (Act(question.action, question.ids),))
    if key.name in {"a", "A"} and question.filter and question.matched:
        if question.action == "drain":
            return Pressed(state)
        return Pressed(calm, (ActOnAll(question.action, question.filter),))
    # What is pasted answers nothing.
    return Pressed(calm) if key.name in {"n", "N", "esc", "q", "enter"} else Pressed(state)


def _ask_about_tasks(state: State, sight: Sight, action: ActionName) -> Pressed:
    task = chosen_task(sight.snapshot, state)
    if task is None or not works("c" if action == "cancel" else "r", sight.snapshot, state):
        return Pressed(state)
    # The chosen one may have ended already, where others that match have not.
    is_meant = not task.is_final if action == "cancel" else task.state in ENDED_AND_MAY_RUN_AGAIN
    question = Question(
        action=action,
        ids=(task.id,) if is_meant else (),
        label=f"1 task, {clean(task.name)} ({task.state})" if is_meant else "tasks",
        filter=state.task_filter if state.view is View.TASKS else "",
    )
    intents: tuple[Intent, ...] = (Count(question),) if question.filter else ()
    return Pressed(replace(state, dialog=question), intents)


def _cancel(state: State, sight: Sight) -> Pressed:
    return _ask_about_tasks(state, sight, "cancel")


def _retry(state: State, sight: Sight) -> Pressed:
    return _ask_about_tasks(state, sight, "retry")


def _drain(state: State, sight: Sight) -> Pressed:
    node = chosen_node(sight.snapshot, state)
    if node is None or not works("d", sight.snapshot, state):
        return Pressed(state)
    running = node.slots_in_use or 0
    what = f"1 node, {clean(node.id)}; it finishes {running} {'task' if running == 1 else 'tasks'} and leaves"
    return Pressed(replace(state, dialog=Question(action="drain", ids=(node.id,), label=what)))


# --- moving ----------------------------------------------------------------------------------------------------------


def _move(by: int) -> Callable[[State, Sight], Pressed]:
    """Move so many rows; a page is told as ±1000 rows or more, of which a page's are meant."""

    def move(state: State, sight: Sight) -> Pressed:
        page = rows_shown(sight.snapshot, state, sight.width, sight.height)
        step = by if abs(by) < _PAGE else (page - 1 or 1) * (1 if by > 0 else -1)
        if abs(by) >= _END:
            step = by
        if state.view is View.TASK:
            top = max(0, state.task_top + step)
            return Pressed(settled(sight.snapshot, replace(state, task_top=top), sight.width, sight.height))
        ids = row_ids(sight.snapshot, state)
        return Pressed(state.with_place(state.place.moved(step, ids, page)))

    return move


_PAGE: Final = 1_000
_END: Final = 1_000_000


# --- opening and leaving ---------------------------------------------------------------------------------------------


def _to(view: View) -> Callable[[State, Sight], Pressed]:
    def go(state: State, _sight: Sight) -> Pressed:
        # On the overview the worst is chosen anew, so that `1` and Enter lead to it from everywhere.
        return Pressed(_live(replace(state, view=view, trail=(), overview=Place())))

    return go


def _next(by: int) -> Callable[[State, Sight], Pressed]:
    def go(state: State, _sight: Sight) -> Pressed:
        return Pressed(_live(replace(state, view=View((state.view - 1 + by) % len(View) + 1), trail=())))

    return go


def _open(state: State, sight: Sight) -> Pressed:
    if not works("enter", sight.snapshot, state):
        return Pressed(state)
    return Pressed(_live(went_on(state, _opened(state, sight.snapshot))))


def _opened(state: State, snapshot: Snapshot) -> State:
    match state.view:
        case View.OVERVIEW:
            trouble = troubles(snapshot)[state.overview.index]
            return replace(state, view=trouble.view).with_filter(trouble.filter)
        case View.NODES:
            node = snapshot.nodes.rows[state.nodes.index]
            return replace(state, view=View.TASKS).with_filter(f"node={node.id}")
        case View.TASKS:
            return _with_task(state, snapshot.tasks.rows[state.tasks.index].id)
        case View.EVENTS:
            event = snapshot.events.rows[state.events.index]
            if event.task_id:
                return _with_task(state, event.task_id)
            return replace(state, view=View.NODES).with_filter(f"id={event.node_id}")
        case View.TASK:
            return state


def _with_task(state: State, task_id: str) -> State:
    return replace(state, view=View.TASK, task_id=task_id, task_top=0)


def _live(state: State) -> State:
    """Let the picture go on: what is opened now was not read when it was held still."""
    return replace(state, is_still=False)


def _back(state: State, _sight: Sight) -> Pressed:
    if state.is_still:
        return Pressed(_live(state))
    if state.trail:
        return Pressed(_live(went_back(state)))
    if state.view is View.TASK:
        return Pressed(replace(state, view=View.TASKS))
    if state.filter:
        return Pressed(state.with_filter(""))
    return Pressed(replace(state, view=View.OVERVIEW, overview=Place()))


def _filter(state: State, _sight: Sight) -> Pressed:
    if state.view not in LISTS:
        return Pressed(state)
    # What is written next is another term, not the end of the last one.
    text = f"{state.filter} " if state.filter else ""
    return Pressed(replace(state, dialog=FilterInput(text=text, cursor=len(text))))


def _sort(state: State, _sight: Sight) -> Pressed:
    if state.view is View.NODES:
        return Pressed(_live(replace(state, node_sort=(state.node_sort + 1) % len(NODE_SORTS), nodes=Place())))
    if state.view is View.TASKS:
        return Pressed(_live(replace(state, task_sort=(state.task_sort + 1) % len(TASK_SORTS), tasks=Place())))
    return Pressed(state)


def _still(state: State, _sight: Sight) -> Pressed:
    return Pressed(replace(state, is_still=not state.is_still))


def _help(state: State, _sight: Sight) -> Pressed:
    return Pressed(replace(state, dialog=Help()))


def _quit(state: State, _sight: Sight) -> Pressed:
    return Pressed(state, (Quit(),))


def _redraw(state: State, _sight: Sight) -> Pressed:
    return Pressed(state, (Redraw(),))


_COMMANDS: Final[dict[str, Callable[[State, Sight], Pressed]]] = {
    **{str(view.value): _to(view) for view in View},
    "tab": _next(1), "right": _next(1), "backtab": _next(-1), "left": _next(-1),
    "up": _move(-1), "k": _move(-1), "down": _move(1), "j": _move(1),
    "pageup": _move(-_PAGE), "pagedown": _move(_PAGE),
    "home": _move(-_END), "g": _move(-_END), "end": _move(_END), "G": _move(_END),
    "enter": _open, "esc": _back, "/": _filter, "s": _sort, " ": _still,
    "d": _drain, "c": _cancel, "r": _retry, "?": _help, "h": _help, "q": _quit, "redraw": _redraw,
}  # fmt: skip


def rows_wanted(state: State, height: int) -> int:
    """Give how many rows of the list must be read, so that what is seen and the next page are there."""
    return state.place.top + 2 * max(1, height)
