"""Which part of a list or a text is to be seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from dashboards.terminal.looks import DIM
from dashboards.terminal.texts import line


def clamped_top(top: int, count: int, height: int) -> int:
    """Give the first line of a text that is shown, so that the last one stands at the bottom."""
    return max(0, min(top, count - height))


def page(lines: Sequence[Text], top: int, height: int) -> list[Text]:
    """Give the lines of a text that are seen; the last one says how many are below."""
    top = clamped_top(top, len(lines), height)
    shown = list(lines[top : top + height])
    hidden = len(lines) - top - height
    if hidden > 0 and shown:
        shown[-1] = line((f"↓ {hidden + 1} more lines", DIM))
    return shown


def window(top: int, index: int, height: int, count: int) -> int:
    """Give the first row to show: as before, unless the chosen one or the end of the list would not be seen.

    Args:
        top: the first row that was shown.
        index: the chosen row.
        height: how many rows are to be seen.
        count: how many rows there are.
    """
    height = max(1, height)
    if index < top:
        top = index
    elif index >= top + height:
        top = index - height + 1
    return max(0, min(top, count - height))
