"""For how long nothing came to its end although there was work: with a hub, and without one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

Span: TypeAlias = tuple[float, float]


def longest_stall_s(ends: Sequence[float], work: Sequence[Span], away: Sequence[Span]) -> tuple[float, float]:
    """Give the longest time without an end, while there was a hub and while there was none.

    Args:
        ends: when runs ended, in their order.
        work: from when to when each task was open. A gap counts if one of them was open all through it.
        away: when the hub was dead or stood still.
    """
    with_hub_s = without_hub_s = 0.0
    for begin, end in pairwise(ends):
        if end - begin <= min(with_hub_s, without_hub_s):
            continue
        if not any(opened <= begin and end <= closed for opened, closed in work):
            continue
        inside = [(max(begin, low), min(end, high)) for low, high in away if low < end and begin < high]
        without_hub_s = max([without_hub_s, *(high - low for low, high in inside)])
        with_hub_s = max([with_hub_s, *(high - low for low, high in _outside(begin, end, inside))])
    return with_hub_s, without_hub_s


def _outside(begin: float, end: float, inside: Sequence[Span]) -> list[Span]:
    """Give what is left of a span between others that lie in it."""
    left: list[Span] = []
    for low, high in sorted(inside):
        left.append((begin, low))
        begin = max(begin, high)
    return [*left, (begin, end)]
