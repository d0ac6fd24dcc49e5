"""A list as a table: what is seen of it, titles, rows, and more about the chosen one. The same for all lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

from rich.text import Text

from dashboards.terminal.columns import Column, contents_of, head, plan, row
from dashboards.terminal.looks import BAD, DIM, STRONG
from dashboards.terminal.snapshot import Listing
from dashboards.terminal.state import Place
from dashboards.terminal.texts import Part, clean, line, spread, width_of, wrapped

T = TypeVar("T")

# Over the rows stand a line that says what is seen, and the titles.
HEAD_LINES: Final = 2
# Below them more is said about the chosen row, if there is room.
ABOUT_LINES: Final = 2
ABOUT_FROM_HEIGHT: Final = 11

About = Callable[[T, Collection[str]], Sequence[Part]]


def about_lines(height: int, *, has_strip: bool) -> int:
    """Give how many lines below a table of this height tell of the chosen row; a strip takes one more."""
    return ABOUT_LINES + has_strip if height >= ABOUT_FROM_HEIGHT else 0


def rows_fitting(height: int, *, has_strip: bool = False) -> int:
    """Give how many rows a table of this height shows."""
    return max(1, height - HEAD_LINES - about_lines(height, has_strip=has_strip))


def table(
    what: str,
    listing: Listing[T],
    place: Place,
    *,
    order: str,
    columns: Sequence[Column],
    cells_of: Callable[[T], Sequence[Part]],
    about: About[T],
    empty: str,
    width: int,
    height: int,
    strip: Text | None = None,
    is_hub_here: bool = True,
) -> list[Text]:
    """Give the lines of a table.

    Args:
        what: what the rows are.
        listing: the rows.
        place: where one is in them.
        order: how they are sorted, in words.
        columns: all columns.
        cells_of: gives the cells of a row.
        about: gives what is said below about the chosen row, apart from the columns with these titles.
        empty: what is said if there are none, and no filter is why.
        width: how many cells there are.
        height: how many lines there are.
        strip: one more line about the chosen row.
        is_hub_here: whether the hub answers.
    """
    has_strip = strip is not None
    shown = listing.rows[place.top : place.top + rows_fitting(height, has_strip=has_strip)]
    lines = _caption(what, listing, place.top, len(shown), order, width)
    if not listing.rows:
        return lines + _nothing(listing, empty, width, is_hub_here=is_hub_here)
    cells = [cells_of(each) for each in shown]
    chosen = plan(columns, contents_of(cells, len(columns)), width)
    lines.append(head(columns, chosen, width))
    lines += [
        row(columns, chosen, made, width, is_chosen=place.top + number == place.index)
        for number, made in enumerate(cells)
    ]
    room = about_lines(height, has_strip=has_strip)
    if room and place.index < len(listing.rows):
        whole = cells_of(listing.rows[place.index])
        # What its column cuts is told below as well.
        titles = {
            columns[kept].title
            for kept, size in zip(chosen.kept, chosen.widths, strict=True)
            if width_of(whole[kept][0]) <= size
        }
        below = _about(about(listing.rows[place.index], titles), width)
        lines += [line()] * (height - len(lines) - room) + below + ([] if strip is None else [strip])
    return lines


def _caption(what: str, listing: Listing[Any], first: int, shown: int, order: str, width: int) -> list[Text]:
    """Give the line over a list; where the hub refused the filter, its words below it."""
    read = len(listing.rows)
    of = f"{listing.total:,}" if listing.total is not None else f"{read:,}{'+' if listing.is_more else ''}"
    count = f"{first + 1:,}-{first + shown:,} of {of}" if shown else "none" if listing.is_read else "…"
    left = line((f"{what} ", DIM), ("" if listing.problem else f"{count}  ", DIM), (clean(listing.filter), STRONG))
    lines = [spread(left, line((order, DIM)), width)]
    if listing.problem:
        lines += [line((part, BAD)) for part in wrapped(f"✗ {clean(listing.problem)}", width, 4)]
    return lines


def _nothing(listing: Listing[Any], empty: str, width: int, *, is_hub_here: bool) -> list[Text]:
    """Give what is said in place of rows."""
    if not listing.is_read and not is_hub_here:
        said = "This was not read before the hub was away; it is as soon as the hub is back."
        return [line((part, DIM)) for part in wrapped(said, width, 3)]
    if listing.problem or not listing.is_read:
        return []
    text = "Nothing matches this filter; esc goes back." if listing.filter else empty
    return [line((part, DIM)) for part in wrapped(text, width, 3)]


def _about(parts: Sequence[Part], width: int) -> list[Text]:
    """Put what is said about a row on so many lines, without breaking a part that fits on one."""
    lines: list[Text] = [line()]
    for text, style in parts:
        if not text:
            continue
        space = "  " if lines[-1].plain else ""
        if lines[-1].plain and lines[-1].cell_len + len(space) + line(text).cell_len > width:
            if len(lines) == ABOUT_LINES:
                break
            lines.append(line())
            space = ""
        lines[-1].append(f"{space}{text}", style or None)
    return lines + [line()] * (ABOUT_LINES - len(lines))
