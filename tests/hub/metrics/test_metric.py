from __future__ import annotations

from hub.decisions.meter import BOUNDS_S
from hub.metrics.metric import QUICK_BOUNDS_S, SHOWN_BOUNDS_S, added_up, distribution
from tests.hub.metrics.readings import histogram


def test_shown_bounds_are_bounds_of_the_meter() -> None:
    assert set(SHOWN_BOUNDS_S) | set(QUICK_BOUNDS_S) <= set(BOUNDS_S)


def test_a_histogram_with_fewer_bounds_loses_nothing() -> None:
    made = distribution(histogram(0.001, 0.006, 0.5, 0.51, 100_000.0), (0.005, 0.5))
    assert made.buckets == [("0.005", 1), ("0.5", 3), ("+Inf", 5)]
    assert round(made.total, 3) == 100_001.017


def test_buckets_are_added_up() -> None:
    assert added_up((1, 10), [2, 0, 3], 99.0).buckets == [("1", 2), ("10", 2), ("+Inf", 5)]
