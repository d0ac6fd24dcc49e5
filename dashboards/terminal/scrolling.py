"""Which part of a list is to be seen. Pure."""

from __future__ import annotations


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
