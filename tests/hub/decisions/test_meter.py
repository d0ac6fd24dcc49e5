from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.meter import BOUNDS_S, NAMES_MAX, OTHER, Histogram, Meter, merged
from hub.store.contract import Committed
from hub.store.events import Event


def committed(*kinds: str, accepted: int = 0, **measured: list[tuple[str, float]]) -> Committed:
    events = [Event(number, 0.0, kind) for number, kind in enumerate(kinds, start=1)]
    return Committed(answers=[], events=events, values={}, waiting={}, accepted=accepted, **measured)


def test_a_histogram_knows_the_bucket_of_what_it_was_given() -> None:
    histogram = Histogram()
    for seconds in (0.001, 0.0011, 1e9):
        histogram.add(seconds)
    assert histogram.buckets[:2] == [1, 1]
    assert histogram.buckets[-1] == 1
    assert histogram.count == 3


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


@given(st.lists(st.floats(0, 80_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_value_that_it_stands_for(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    found = histogram.quantile(share)
    rank = min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))
    exact = sorted(values)[rank]
    high = next(bound for bound in BOUNDS_S if exact <= bound)
    low = max((bound for bound in (0.0, *BOUNDS_S) if bound < high), default=0.0)
    assert found is not None
    assert low <= found <= high * (1 + 1e-9)


def test_what_was_added_since_a_copy_is_their_difference() -> None:
    histogram = Histogram()
    histogram.add(1.0)
    earlier = histogram.copy()
    histogram.add(20.0)
    later = histogram.since(earlier)
    assert (later.count, later.sum_s) == (1, 20.0)
    assert earlier.count == 1


def test_events_are_counted_by_kind_and_times_by_name() -> None:
    meter = Meter()
    meter.take(committed("task.running", "task.running", accepted=2, waits=[("a", 0.5), ("b", 1.5)]), 1.0)
    meter.take(committed("task.succeeded", runs=[("a", 3.0)]), 2.0)
    assert meter.counts == {"task.running": 2, "task.succeeded": 1, "submitted": 2}
    assert meter.waits["a"].count == meter.waits["b"].count == 1
    assert meter.runs["a"].sum_s == 3.0
    assert merged(meter.waits).count == 2


def test_names_beyond_the_limit_share_one_histogram() -> None:
    meter = Meter()
    meter.take(committed(runs=[(f"n{number}", 1.0) for number in range(NAMES_MAX + 5)]), 1.0)
    assert len(meter.runs) == NAMES_MAX + 1
    assert meter.runs[OTHER].count == 5


def test_rates_are_means_of_the_last_ten_seconds() -> None:
    meter = Meter()
    # Many commits in each second, and longer than rates look back.
    for tenth in range(600):
        meter.take(committed("task.running", "task.succeeded", accepted=3), tenth / 10)
    rates = meter.rates(60.0)
    assert (rates.submitted, rates.started, rates.succeeded, rates.finished) == (30.0, 10.0, 10.0, 10.0)


def test_a_young_meter_does_not_understate_its_rates() -> None:
    meter = Meter()
    meter.take(committed(), 100.0)
    meter.take(committed(*["task.failed"] * 8), 101.0)
    assert meter.rates(102.0).failed == 4.0


def test_a_burst_is_forgotten_after_its_time() -> None:
    meter = Meter()
    meter.take(committed(accepted=1000), 5.2)
    assert meter.rates(5.9).submitted > 0
    assert meter.rates(100.0).submitted == 0.0


def test_a_meter_that_nobody_used_has_rates_of_nothing() -> None:
    assert Meter().rates(1.0).finished == 0.0
