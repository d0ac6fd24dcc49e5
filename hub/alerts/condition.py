"""Something that a rule looks for is so: the value that each kind of rule gives, and the words that all of them use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

# Ids that a message names; a sentence with more is not read.
NAMED_MAX: Final = 5


class Condition(Struct, frozen=True, kw_only=True):
    """Something that a rule looks for is so. ``subject``: about whom, empty for the hub or the fleet as a whole.
    ``since_s``: since when on the steady clock, None where only the looks tell.
    """

    subject: str
    message: str
    value: float | None = None
    since_s: float | None = None
    node_id: str = ""


Found: TypeAlias = Sequence[Condition] | None
"""None: this look does not tell; everything stays as it was."""


def counted(count: int, noun: str) -> str:
    """Give a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def named(ids: Iterable[str]) -> str:
    """Name some of many."""
    ordered = sorted(ids)
    more = len(ordered) - NAMED_MAX
    return ", ".join(ordered[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
