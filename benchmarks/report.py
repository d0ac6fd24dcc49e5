"""What was measured, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.claim import Claim
from benchmarks.suite import Broken

# A file and a pipe have no width; the longest row has about so many characters.
PLAIN_WIDTH: Final = 120

Row = tuple[str, str, str, str, str]


def print_report(told: Sequence[tuple[str, Claim | Broken]], console: Console | None = None) -> None:
    """Print a row for each target, and for each figure of a claim without any, on stderr."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for head in ("claim", "figure"):
        table.add_column(head)
    for head in ("value", "target"):
        table.add_column(head, justify="right")
    table.add_column("")
    for name, claim in told:
        for row in rows(name, claim):
            table.add_row(*row, style="bold red" if row[-1] in {"missed", "broken"} else "")
    console.print(table)


def rows(name: str, claim: Claim | Broken) -> Iterator[Row]:
    """Give the rows of one claim: its name, the figure, its value, its target, and whether that is met."""
    if isinstance(claim, Broken):
        yield name, claim.error.strip().splitlines()[-1][:PLAIN_WIDTH], "", "", "broken"
        return
    for target in claim.targets:
        value = f"{target.value:,g} {target.unit}"
        yield name, target.figure, value, target.target, "met" if target.met else "missed"
    if not claim.targets:
        for figure, number in _numbers(claim.figures):
            yield name, figure, f"{number:,g}", "", ""


def _numbers(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    """Give all single numbers, those of inner mappings by ``outer.inner``."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{before}{key}.")
        elif isinstance(value, (int, float)):
            yield f"{before}{key}", value
