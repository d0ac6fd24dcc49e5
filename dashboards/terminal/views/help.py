"""The page that names all keys, what the glyphs mean, and how a filter is written."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from dashboards.terminal.bindings import BINDINGS
from dashboards.terminal.looks import DIM, NODE_LOOKS, STRONG, TASK_LOOKS
from dashboards.terminal.scrolling import page
from dashboards.terminal.state import Help, State
from dashboards.terminal.texts import line, padded, wrapped

_KEY_CELLS: Final = 7
# Two headings, and an empty line above each: where there is no room for them, they go first.
_HEADINGS: Final = 4

_FILTERS: Final = (
    "state=failed,lost name~hash node=n1 age>5m label.site=berlin error~Timeout attempt>1",
    "All terms must hold. Ops: = != ~ (contains) !~ > >= < <=; quotes for spaces; a bare word: id or name contains it.",
    "Events: kind=task.failed,node name=hash node=n1 task=ID group=ID",
)
_BESIDE: Final = "The hub runs in this terminal: q leaves the picture only, Ctrl-C ends the hub in good order."


def body(state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the page that are seen."""
    lines = content(state, width, height)
    top = state.dialog.top if isinstance(state.dialog, Help) else 0
    return page(lines, top, height)


def content(state: State, width: int, height: int) -> list[Text]:
    """Give all lines of the page, the most useful first; where they do not fit the headings are left out."""
    lines: list[Text] = []
    for binding in BINDINGS:
        if binding.label == "^C" and not state.is_beside_hub:
            continue
        for number, part in enumerate(wrapped(binding.about, max(10, width - _KEY_CELLS), 3)):
            lines.append(line((padded(binding.label if not number else "", _KEY_CELLS), STRONG), part))
    if state.is_beside_hub:
        lines += [line((part, STRONG)) for part in wrapped(_BESIDE, width, 2)]
    glyphs, filters = _glyphs(width), [line((part, DIM)) for text in _FILTERS for part in wrapped(text, width, 4)]
    if len(lines) + len(glyphs) + len(filters) + _HEADINGS > height:
        return [*lines, *glyphs, *filters]
    return [*lines, line(), line(("glyphs", STRONG)), *glyphs, line(), line(("filters", STRONG)), *filters]


def _glyphs(width: int) -> list[Text]:
    lines: list[Text] = []
    for looks in (TASK_LOOKS, NODE_LOOKS):
        made = line()
        for look in looks.values():
            if made.cell_len + len(look.text) > width and made.cell_len:
                lines.append(made)
                made = line()
            made.append(f"{look.text}  ", look.style or None)
        lines.append(made)
    return lines
