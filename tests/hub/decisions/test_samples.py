from __future__ import annotations

from typing import Any

from hub.decisions.samples import Sample, end_of_step, rolled


def sample(at: float, **more: Any) -> Sample:
    values: dict[str, Any] = {
        "queued": 0,
        "running": 0,
        "scheduled": 0,
        "oldest_queued_s": 0.0,
        "nodes_online": 0,
        "nodes_away": 0,
        "submitted": 0,
        "succeeded": 0,
        "failed": 0,
        "cancelled": 0,
        "expired": 0,
        "lost": 0,
    }
    return Sample(at=at, step_s=10, **(values | more))


def test_a_step_ends_at_a_multiple_of_its_length() -> None:
    assert [end_of_step(at_s, 10) for at_s in (0.1, 9.9, 10.0, 10.1)] == [10.0, 10.0, 10.0, 20.0]


def test_a_longer_step_is_rolled_once_it_is_over() -> None:
    waiting = [sample(at) for at in range(10, 310, 10)]
    assert rolled(waiting, 299.0) == []
    (one,) = rolled(waiting, 300.0)
    assert (one.at, one.step_s) == (300.0, 300)
    assert rolled(waiting, 310.0) == [one]


def test_counts_add_up_and_what_stood_is_the_mean_and_the_oldest_is_the_largest() -> None:
    first = sample(10, queued=4, nodes_online=3, nodes_away=0, submitted=5, failed=1, oldest_queued_s=2.0)
    second = sample(20, queued=1, nodes_online=2, nodes_away=1, submitted=2, failed=1, oldest_queued_s=9.5)
    (one,) = rolled([first, second], 300.0)
    assert (one.queued, one.nodes_online, one.nodes_away) == (2.5, 2.5, 0.5)
    assert (one.submitted, one.failed, one.oldest_queued_s) == (7, 2, 9.5)


def test_histograms_add_up_bucket_by_bucket_and_steps_without_any_add_nothing() -> None:
    (one,) = rolled([sample(10, waits=[1, 0, 2]), sample(20), sample(30, waits=[0, 4, 1])], 300.0)
    assert (one.waits, one.runs) == ([1, 4, 3], [])


def test_a_step_in_which_the_hub_was_away_has_none_and_one_in_part_is_rolled_from_what_there_is() -> None:
    found = rolled([sample(290, submitted=1), sample(910, submitted=2), sample(1210)], 1210.0)
    assert [(one.at, one.submitted) for one in found] == [(300.0, 1), (1200.0, 2)]
