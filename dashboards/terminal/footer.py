"""The line below each view: the keys that do something now, a question, or a filter that is being typed."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from dashboards.terminal.bindings import Binding, working
from dashboards.terminal.looks import ALARM, BAD, CHOSEN, DIM, STRONG, WARN
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import FilterInput, Help, Question, State
from dashboards.terminal.texts import clean, cut, line, padded, spread, width_of

_PROMPT: Final = "filter: "
_EDITING: Final = "enter apply  esc leave  ^U empty"
_EXAMPLE: Final = "state=failed name~hash node=n1 age>5m"


def footer(snapshot: Snapshot, state: State, width: int) -> Text:
    """Give the last line of the picture."""
    match state.dialog:
        case FilterInput() as typed:
            return filter_line(typed, width)[0]
        case Question() as question:
            return _question(question, width)
        case Help():
            return line((" esc ", CHOSEN), (" leave the help  ", DIM), ("↑↓", STRONG), (" move", DIM))
        case None:
            return _notice(state, width) if state.notice else _keys(snapshot, state, width)


def filter_line(typed: FilterInput, width: int) -> tuple[Text, int]:
    """Give the line with the filter, and the cell of the cursor; what is long is seen around the cursor."""
    room = max(1, width - width_of(_PROMPT) - 1)
    before, behind = clean(typed.text[: typed.cursor]), clean(typed.text[typed.cursor :])
    if not typed.text:
        return line((_PROMPT, STRONG), (cut(_EXAMPLE, room), DIM)), width_of(_PROMPT)
    while width_of(before) > room:
        before = before[1:]
    shown = cut(behind, max(0, room - width_of(before)))
    made = line((_PROMPT, STRONG), before, shown)
    # What ends it, and how to begin anew, as long as the text leaves room for that.
    if made.cell_len + len(_EDITING) + 3 <= width:
        made = spread(made, line((_EDITING, DIM)), width)
    return made, width_of(_PROMPT) + width_of(before)


_WORDS: Final = {"drain": "Drain {}", "cancel": "Cancel {}", "retry": "Run {} again"}


def _question(question: Question, width: int) -> Text:
    what = f" {_WORDS[question.action].format(question.label)}? "
    answers = [("y", "yes")] if question.ids else []
    if question.filter and question.matched != 0:
        many = "…" if question.matched is None else f"{question.matched:,}"
        answers.append(("a", f"all {many} that match"))
    answers.append(("n", "no"))
    keys = "".join(f"  {key} {word}" for key, word in answers)
    room = max(8, width - width_of(keys))
    parts: list[tuple[str, str]] = [(cut(what, room), ALARM)]
    for key, word in answers:
        parts += [("  ", ""), (key, BAD), (f" {word}", "")]
    return line(*parts)


def _notice(state: State, width: int) -> Text:
    return line((padded(f" {clean(state.notice)}", width), WARN))


def _keys(snapshot: Snapshot, state: State, width: int) -> Text:
    kept = working(snapshot, state)
    while len(kept) > 1 and sum(map(_width, kept)) + len(kept) - 1 > width:
        kept.remove(max(kept, key=lambda binding: binding.rank))
    parts: list[tuple[str, str]] = []
    for binding in kept:
        if parts:
            parts.append((" ", ""))
        parts += [(binding.label, STRONG), (f" {binding.word} ", DIM)]
    return line(*parts)


def _width(binding: Binding) -> int:
    return width_of(binding.label) + width_of(binding.word) + 2
