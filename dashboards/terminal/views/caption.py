"""What stands over a list: how much of it is seen, what it is filtered by, and what is wrong with the filter."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from dashboards.terminal.looks import BAD, DIM, STRONG
from dashboards.terminal.snapshot import Listing
from dashboards.terminal.texts import clean, line, spread, wrapped


def caption(what: str, listing: Listing[Any], first: int, shown: int, order: str, width: int) -> list[Text]:
    """Give the line over a list; where the hub refused the filter, its words."""
    if listing.problem:
        return [line((f"✗ {clean(listing.problem)}", BAD))]
    read = len(listing.rows)
    of = f"{listing.total:,}" if listing.total is not None else f"{read:,}{'+' if listing.is_more else ''}"
    count = f"{first + 1:,}-{first + shown:,} of {of}" if shown else "none" if listing.is_read else "…"
    left = line((f"{what} ", DIM), (count, DIM))
    if listing.filter:
        left.append("  ")
        left.append(clean(listing.filter), STRONG)
    return [spread(left, line((order, DIM)), width)]


def nothing(listing: Listing[Any], where_empty: str, width: int) -> list[Text]:
    """Give what is said in place of rows."""
    if listing.problem or not listing.is_read:
        return []
    text = "Nothing matches this filter; esc takes it away." if listing.filter else where_empty
    return [line((part, DIM)) for part in wrapped(text, width, 3)]
