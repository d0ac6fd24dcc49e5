"""Quantiles by the nearest rank."""

from __future__ import annotations

import pytest

from benchmarks.quantiles import quantile, told_ms


def test_a_quantile_is_the_smallest_value_that_the_share_does_not_pass() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50.0
    assert quantile(values, 0.99) == 99.0
    assert quantile(values, 1.0) == 100.0
    assert quantile([7.0], 0.01) == 7.0


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


def test_times_are_told_in_ms() -> None:
    assert told_ms([0.001, 0.002, 0.003]) == {"p50": 2.0, "p99": 3.0, "max": 3.0, "n": 3}
