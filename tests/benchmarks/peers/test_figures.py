from __future__ import annotations

import pytest

from benchmarks.peers.figures import TARGETS, Target, quantile, ratio, spread, verdicts
from tests.benchmarks.peers.comparisons import figures


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile([7.0], 0.99) == 7


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(IndexError):
        quantile([], 0.5)


def test_a_spread_has_the_median_and_the_range_of_the_rounds() -> None:
    over = spread({1: figures(10), 2: figures(40), 3: figures(20)}, "tasks_per_s")
    assert (over.least, over.median, over.most) == (10, 20, 40)


def test_ratios_are_taken_round_by_round_and_not_of_medians() -> None:
    ours = {1: figures(100), 2: figures(10), 3: figures(50)}
    theirs = {1: figures(50), 2: figures(5), 3: figures(5)}
    over = ratio(ours, theirs, "tasks_per_s")
    assert over is not None
    # The medians alone, 50 and 5, would say 10.
    assert (over.least, over.median, over.most) == (2, 2, 10)


def test_a_round_that_one_of_both_missed_has_no_ratio() -> None:
    over = ratio({1: figures(10), 2: figures(90)}, {2: figures(30)}, "tasks_per_s")
    assert over is not None
    assert (over.least, over.most) == (3, 3)
    assert ratio({1: figures(10)}, {2: figures(10)}, "tasks_per_s") is None


@pytest.mark.parametrize(("ratio_", "met"), [(1.19, False), (1.2, True), (9.0, True)])
def test_of_a_rate_at_least_the_bound_is_met(ratio_: float, met: bool) -> None:
    assert Target(measure="tasks_per_s", peer="nats", bound=1.2).is_met(ratio_) is met


@pytest.mark.parametrize(("ratio_", "met"), [(0.4, True), (1.0, True), (1.01, False)])
def test_of_a_time_at_most_the_bound_is_met(ratio_: float, met: bool) -> None:
    assert Target(measure="p50_ms", peer="nats", bound=1.0).is_met(ratio_) is met


def test_a_target_that_was_not_measured_is_not_met() -> None:
    held = verdicts({"moorline": {1: figures(10)}}, "moorline")
    assert [verdict.target for verdict in held] == list(TARGETS)
    assert not any(verdict.is_met for verdict in held)
    assert all(verdict.ratio is None for verdict in held)


def test_each_target_is_held_against_its_own_peer() -> None:
    by_peer = {
        "moorline": {1: figures(1000, p50_ms=1, p99_ms=9)},
        "nats": {1: figures(1000)},
        "jetstream": {1: figures(200)},
        "jetstream-synced": {1: figures(10, p50_ms=2, p99_ms=3)},
    }
    met = {(verdict.target.peer, verdict.target.measure): verdict.is_met for verdict in verdicts(by_peer, "moorline")}
    assert met == {
        ("nats", "tasks_per_s"): False,
        ("jetstream", "tasks_per_s"): True,
        ("celery-synced", "tasks_per_s"): False,
        ("jetstream-synced", "p50_ms"): True,
        ("jetstream-synced", "p99_ms"): False,
    }
