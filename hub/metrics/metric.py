"""One metric: its name, what it means, and how its samples are taken from a reading."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from hub.decisions.meter import BOUNDS_S, Histogram
from hub.metrics.reading import Reading

Labels: TypeAlias = tuple[str, ...]

# Of the bounds that the meter keeps, those that are worth a series each: where tasks and waits differ by much.
SHOWN_BOUNDS_S: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)

# The same for what should take milliseconds: a commit, a turn of the loop.
QUICK_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

PREFIX: Final = "moorline_"


class Distribution(Struct, frozen=True):
    """A histogram at one moment: ``(upper end, how many are not above it)``, the last with ``+Inf``; and their sum."""

    buckets: list[tuple[str, int]]
    total: float


class Metric(Struct, frozen=True, kw_only=True):
    """One metric. ``name`` is without prefix and, of a counter, without ``_total``; ``read`` gives a value or a
    `Distribution` for each set of label values, in the order of ``labels``.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    about: str
    labels: Labels = ()
    read: Callable[[Reading], Iterable[tuple[Labels, float | Distribution]]]

    @property
    def exported(self) -> str:
        """The name that queries use; a histogram has it with ``_bucket``, ``_sum`` and ``_count``."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


def distribution(histogram: Histogram, bounds_s: Sequence[float] = SHOWN_BOUNDS_S) -> Distribution:
    """Show a histogram with some of its own bounds. It may grow meanwhile: its count is that of its buckets."""
    buckets = list(histogram.buckets)
    shown = [(f"{bound:g}", sum(buckets[: bisect_left(BOUNDS_S, bound) + 1])) for bound in bounds_s]
    return Distribution([*shown, ("+Inf", sum(buckets))], histogram.sum_s)


def added_up(bounds: Sequence[float], buckets: Iterable[int], total: float) -> Distribution:
    """Show buckets that are not added up; there is one more of them than bounds."""
    shown: list[tuple[str, int]] = []
    seen = 0
    for bound, inside in zip([*map("{:g}".format, bounds), "+Inf"], list(buckets), strict=True):
        seen += inside
        shown.append((bound, seen))
    return Distribution(shown, total)
