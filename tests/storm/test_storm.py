"""How a large fleet comes back: the figures that docs/explanation/reconnect-storms.md promises."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.storm import course
from benchmarks.storm_world import MoorlineNode, Storm

RATE_PER_S = 300.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_thousand_nodes_are_back_within_a_minute_and_in_three_tries(seed: int) -> None:
    storm = course("Moorline", Storm(nodes=10_000, outage_s=10, admissions_per_s=RATE_PER_S, seed=seed))
    p99_s = storm.back_within_s(0.99)
    assert p99_s is not None
    assert p99_s <= 55
    assert len(storm.back_s) == 10_000
    assert statistics.fmean(storm.tries) <= 3


@pytest.mark.parametrize("nodes", [1, 50, 750])
@pytest.mark.parametrize("outage_s", [1.0, 10.0, 60.0])
def test_a_small_fleet_is_back_within_its_spread_and_five_seconds_however_long_the_hub_was_away(
    nodes: int, outage_s: float
) -> None:
    storm = course("Moorline", Storm(nodes=nodes, outage_s=outage_s, admissions_per_s=RATE_PER_S))
    last_s = storm.back_within_s(1.0)
    assert last_s is not None
    assert last_s <= max(0.5, nodes / RATE_PER_S) + 5


@pytest.mark.parametrize("policy", ["Moorline", "full jitter", "no jitter"])
def test_whatever_the_nodes_do_no_second_sees_more_admissions_than_the_rate_and_a_quarter(policy: str) -> None:
    storm = course(policy, Storm(nodes=2_000, admissions_per_s=100, horizon_s=60))
    assert max(storm.admissions.values()) <= 125


@pytest.mark.parametrize("nodes", [750, 3_000])
def test_a_hub_that_stays_away_is_dialled_little_faster_than_it_would_admit(nodes: int) -> None:
    storm = course("Moorline", Storm(nodes=nodes, outage_s=200, admissions_per_s=RATE_PER_S))
    steady = [storm.dials[second] for second in range(-100, 0)]
    # Pauses are three quarters of the spread on average.
    assert statistics.fmean(steady) <= 1.5 * RATE_PER_S


def test_the_same_seed_is_the_same_storm() -> None:
    storms = [course("Moorline", Storm(nodes=300, admissions_per_s=20)) for _ in range(2)]
    assert storms[0] == storms[1]


def test_a_node_that_is_admitted_at_another_process_of_its_hub_needs_no_second_connection() -> None:
    node = MoorlineNode(lambda: 0.5, named_spread_s=1.0)
    assert node.lost(0.0) == 0.5
    assert node.admitted(0.5) is None


def test_a_time_that_was_not_reached_is_none() -> None:
    storm = course("no jitter", Storm(nodes=500, admissions_per_s=10, horizon_s=20))
    assert storm.back_within_s(0.001) is not None
    assert storm.back_within_s(1.0) is None
