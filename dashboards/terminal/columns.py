"""Which columns of a table fit, and how wide each is. Pure.

Where it is narrow, whole columns go, the least important first: a column of three cells tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from dashboards.terminal.looks import CHOSEN, DIM
from dashboards.terminal.texts import Part, cut, exact, line, padded, width_of

GAP: Final = 2
# Between columns where every cell counts.
GAP_NARROW: Final = 1
NARROW: Final = 60
# A name is told by so many cells, or by a third of the width if that is less.
STAYING_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Where it is narrow, a column that stays gets what its contents need before others get anything, up to `STAYING_MAX`.

    Attributes:
        title: its head.
        rank: those with the highest go first where it is narrow; 0 stays.
        width: at least so many cells.
        width_max: up to so many, if its contents need them; None: ``width`` is all it gets.
        is_right: whether contents stand at its right edge.
        is_name: whether contents are names, which are cut in their middle.
        share: of what says why: it gets what its contents need, up to this part of the width (3: a third), before
            columns of a higher rank get anything; 0: it does not.
    """

    title: str
    rank: int = 0
    width: int
    width_max: int | None = None
    is_right: bool = False
    is_name: bool = False
    share: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns that are drawn, as places in the table, their widths, and the cells between them."""

    kept: tuple[int, ...]
    widths: tuple[int, ...]
    gap: int


def plan(columns: Sequence[Column], contents: Sequence[int], width: int) -> Plan:
    """Choose columns for so many cells.

    Args:
        columns: all there are, in their order.
        contents: how many cells the widest content of each takes.
        width: how many cells there are.
    """
    gap = GAP if width >= NARROW else GAP_NARROW
    kept = list(range(len(columns)))
    least = [_least(column, contents[place], width) for place, column in enumerate(columns)]
    while len(kept) > 1 and sum(least[place] for place in kept) + gap * (len(kept) - 1) > width:
        victim = max(kept, key=lambda place: (columns[place].rank, place))
        kept.remove(victim)
    widths = [min(least[place], width) for place in kept]
    free = width - sum(widths) - gap * (len(kept) - 1)
    # The most important ones take first what their contents need.
    for index in sorted(range(len(kept)), key=lambda index: columns[kept[index]].rank):
        column = columns[kept[index]]
        if column.width_max is not None and free > 0:
            wanted = min(max(contents[kept[index]], width_of(column.title)), column.width_max) - widths[index]
            given = min(free, max(0, wanted))
            widths[index] += given
            free -= given
    return Plan(tuple(kept), tuple(widths), gap)


def _least(column: Column, content: int, width: int) -> int:
    if column.share:
        return max(column.width, min(content, width // column.share))
    if column.rank or column.width_max is None:
        return column.width
    wanted = min(content, column.width_max, STAYING_MAX, width // 3)
    return max(column.width, wanted)


def head(columns: Sequence[Column], chosen: Plan, width: int) -> Text:
    """Give the line of titles."""
    gap = " " * chosen.gap
    titles = [
        padded(columns[place].title, cells, is_right=columns[place].is_right)
        for place, cells in zip(chosen.kept, chosen.widths, strict=True)
    ]
    return line((cut(gap.join(titles), width), DIM))


def row(columns: Sequence[Column], chosen: Plan, cells: Sequence[Part], width: int, *, is_chosen: bool = False) -> Text:
    """Give the line of one row; the one that is chosen stands out in its whole width, whatever its colours."""
    parts: list[str | Part] = []
    for place, size in zip(chosen.kept, chosen.widths, strict=True):
        if parts:
            parts.append(" " * chosen.gap)
        text, style = cells[place]
        column = columns[place]
        parts.append((padded(text, size, is_right=column.is_right, is_name=column.is_name), style))
    made = line(*parts)
    if is_chosen:
        made = exact(made, width).copy()
        return line((made.plain, CHOSEN))
    return made


def contents_of(rows: Sequence[Sequence[Part]], count: int) -> list[int]:
    """Give how many cells the widest content of each column takes."""
    return [max((width_of(cells[place][0]) for cells in rows), default=0) for place in range(count)]
