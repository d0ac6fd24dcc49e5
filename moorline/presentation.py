"""What commands print: tables and fields for people, JSON for programs. Data on stdout, words on stderr.

On a terminal tables are drawn by rich, fit its width and have colours (unless ``NO_COLOR`` says otherwise); anywhere
else they are plain aligned columns, whole and without escape codes. What came from elsewhere (an error's message, a
node's name) is made harmless first: it could hold escape codes of its own.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import click
import msgspec
import orjson

from moorline.words import one_line, printable

GAP: Final = "  "

# A flexible column narrower than this says nothing any more; others are left out before.
FLEXIBLE_WIDTH_MIN: Final = 12

STYLES: Final[Mapping[str, str]] = {
    "succeeded": "green", "failed": "red", "lost": "bold red", "cancelled": "yellow", "expired": "yellow",
    "running": "cyan", "queued": "blue", "scheduled": "blue",
    "online": "green", "draining": "yellow", "cordoned": "yellow", "unreachable": "red", "gone": "dim",
    "ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim",
    "flag": "cyan", "environment": "cyan", "file": "green", "default": "dim",
    "firing": "bold red", "pending": "yellow", "resolved": "green",
    "can_run": "green", "running_here": "cyan", "busy": "yellow",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Styled:
    """A cell that has a colour where there are colours."""

    text: str
    style: str = ""


Cell: TypeAlias = str | Styled


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. Where the terminal is narrow, the columns with the highest ``rank`` are left out first (0: never),
    and then flexible ones are cut.
    """

    title: str
    rank: int = 0
    is_right: bool = False
    is_flexible: bool = False


def coloured(word: str) -> Styled:
    """Give a state, or another word with a fixed meaning, in its colour."""
    return Styled(word, STYLES.get(word, ""))


# --- printing --------------------------------------------------------------------------------------------------------


def is_terminal() -> bool:
    """Tell whether a person reads stdout on a terminal that can do more than print."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under their titles."""
    if is_terminal():
        _print_rich_table(columns, [[_clean(cell) for cell in row] for row in rows])
        return
    texts = [[one_line(_text(cell)) or "-" for cell in row] for row in rows]
    titles = [column.title for column in columns]
    for line in aligned([titles, *texts], [column.is_right for column in columns]):
        click.echo(line)


def print_fields(fields: Sequence[tuple[str, Cell]]) -> None:
    """Print labels with their values below each other; a value of many lines is indented."""
    width = max((cell_width(label) for label, _ in fields), default=0)
    for label, cell in fields:
        text = printable(_text(cell)).replace("\n", "\n" + " " * (width + len(GAP)))
        padded = label + " " * (width - cell_width(label)) + GAP
        if is_terminal():
            _print_rich(Styled(padded, "dim"), Styled(text, cell.style if isinstance(cell, Styled) else ""))
        else:
            click.echo(padded + text)


def print_columns(cells: Sequence[tuple[Cell, int]]) -> None:
    """Print one line of a stream at once: each cell padded to its width, whatever comes later."""
    parts: list[Cell] = []
    for cell, width in cells:
        text = one_line(_text(cell))
        padded = text + " " * max(0, width - cell_width(text)) + GAP
        parts.append(Styled(padded, cell.style if isinstance(cell, Styled) else ""))
    if is_terminal():
        _print_rich(*parts)
    else:
        click.echo("".join(_text(part) for part in parts).rstrip())
    sys.stdout.flush()


def print_document(document: object) -> None:
    """Print one JSON document."""
    click.echo(orjson.dumps(document, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def print_json_line(document: object) -> None:
    """Print one line of NDJSON, at once."""
    click.echo(orjson.dumps(document, default=_plain, option=orjson.OPT_NON_STR_KEYS))
    sys.stdout.flush()


def say(words: str) -> None:
    """Tell a person something, on stderr."""
    click.echo(printable(words), err=True)


def _plain(value: object) -> object:
    """Give orjson what it does not know by itself."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return msgspec.to_builtins(value)


def _print_rich_table(columns: Sequence[Column], rows: Sequence[Sequence[Styled]]) -> None:
    # Loading rich takes longer than all the rest of a command; on a pipe nobody needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, markup=False, emoji=False)
    widths = [
        max([cell_width(column.title), *(cell_width(row[index].text) for row in rows)])
        for index, column in enumerate(columns)
    ]
    kept = fitting(columns, widths, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="dim", show_edge=False)
    for index, width in zip(kept, shares(columns, widths, kept, console.width), strict=True):
        justify: Literal["left", "right"] = "right" if columns[index].is_right else "left"
        table.add_column(columns[index].title, justify=justify, no_wrap=True, width=width)
    for row in rows:
        table.add_row(
            *(Text(row[index].text, style=row[index].style, overflow="ellipsis", no_wrap=True) for index in kept)
        )
    console.print(table)


def _print_rich(*parts: Cell) -> None:
    from rich.console import Console  # noqa: PLC0415  # see _print_rich_table
    from rich.text import Text  # noqa: PLC0415

    text = Text()
    for part in parts:
        text.append(_text(part), style=part.style if isinstance(part, Styled) else "")
    Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(text)


# --- layout ----------------------------------------------------------------------------------------------------------


def fitting(columns: Sequence[Column], widths: Sequence[int], width_max: int) -> list[int]:
    """Choose the columns that fit: those with the highest rank go first; flexible ones count as their least width."""
    kept = list(range(len(columns)))

    def needed() -> int:
        least = (
            min(widths[index], FLEXIBLE_WIDTH_MIN) if columns[index].is_flexible else widths[index] for index in kept
        )
        return sum(least) + len(GAP) * max(0, len(kept) - 1)

    while needed() > width_max:
        # Of equal ranks the last one goes.
        victim = max(kept, key=lambda index: (columns[index].rank, index))
        if columns[victim].rank == 0:
            break
        kept.remove(victim)
    return kept


def shares(columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int], width_max: int) -> list[int]:
    """Give each column that is kept its width: its own, but what flexible ones have in excess is cut evenly."""
    given = [widths[index] for index in kept]
    excess = sum(given) + len(GAP) * max(0, len(kept) - 1) - width_max
    flexible = [place for place, index in enumerate(kept) if columns[index].is_flexible]
    while excess > 0 and flexible:
        widest = max(flexible, key=lambda place: given[place])
        if given[widest] <= 1:
            break
        given[widest] -= 1
        excess -= 1
    return given


def aligned(rows: Sequence[Sequence[str]], is_right: Sequence[bool]) -> list[str]:
    """Lay out rows in columns, two spaces apart, without spaces at the end."""
    widths = [max(cell_width(row[index]) for row in rows) for index in range(len(is_right))]
    lines = []
    for row in rows:
        cells = []
        for cell, width, right in zip(row, widths, is_right, strict=True):
            padding = " " * (width - cell_width(cell))
            cells.append(padding + cell if right else cell + padding)
        lines.append(GAP.join(cells).rstrip())
    return lines


def cell_width(text: str) -> int:
    """Count the cells that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Styled) else cell


def _clean(cell: Cell) -> Styled:
    return Styled(one_line(_text(cell)) or "-", cell.style if isinstance(cell, Styled) else "")
