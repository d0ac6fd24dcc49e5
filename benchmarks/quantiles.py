"""Times told by their quantiles: the mean of a latency tells nobody what to expect."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least this share of all values does not pass (the nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there is no quantile of nothing")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def told_ms(times_s: Sequence[float]) -> dict[str, float | int]:
    """Give p50, p99 and the largest in ms, and of how many."""
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {**{name: round(quantile(times_s, share) * 1000, 2) for name, share in shares.items()}, "n": len(times_s)}
