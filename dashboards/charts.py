"""Numbers as little drawings of text: lines of columns, charts over several lines, bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

SPARKS: Final = "▁▂▃▄▅▆▇█"


def spark_line(values: Sequence[float | None], top: float | None = None) -> str:
    """Draw numbers as a line of little columns; zero is a low one, and what is not known is a gap.

    Args:
        values: the numbers, the newest last.
        top: what fills a column; the `ceiling` of the numbers if it is left out.
    """
    full = top or ceiling(values)
    return "".join(
        " " if value is None else SPARKS[min(len(SPARKS) - 1, int(value / full * len(SPARKS)))] for value in values
    )


def ceiling(values: Sequence[float | None]) -> float:
    """Give the number that fills a column: the highest, but no more than thrice what is usual.

    When a hub is back all results that were kept arrive at once; drawn to scale, that would flatten all the rest.
    """
    usual = [value for value in values if value]
    return min(max(usual), 3 * median(usual)) if usual else 1.0


def columns(values: Sequence[float | None], lines: int, top: float | None = None) -> list[str]:
    """Draw numbers as columns over several lines, the topmost line first; what is more than nothing is to be seen."""
    full = top or ceiling(values)
    # In eighths of a line.
    heights = [max(1 if value else 0, round(8 * lines * (value or 0.0) / full)) for value in values]
    return [
        "".join((" " + SPARKS)[min(8, max(0, height - 8 * line))] for height in heights)
        for line in range(lines - 1, -1, -1)
    ]


def resampled(values: Sequence[float | None], count: int) -> list[float | None]:
    """Give so many numbers for these, in their order: each the highest of those that it stands for, so that no peak is
    lost; where there are more places than numbers, each is repeated.
    """
    if not values or count <= 0:
        return []
    made: list[float | None] = []
    for place in range(count):
        start = place * len(values) // count
        end = max(start + 1, (place + 1) * len(values) // count)
        known = [value for value in values[start:end] if value is not None]
        made.append(max(known) if known else None)
    return made


def bar(share: float, width: int, filled: str = "━", empty: str = "─") -> tuple[str, str]:
    """Draw a share of one as a bar: the part that is filled, and the rest."""
    cells = min(width, max(0, round(share * width)))
    return filled * cells, empty * (width - cells)
