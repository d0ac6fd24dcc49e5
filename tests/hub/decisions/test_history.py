from __future__ import annotations

from hub.decisions.history import Sampler
from hub.decisions.meter import Meter
from hub.store.contract import Committed
from hub.store.events import Event
from hub.store.stats import StoreStats


def committed(*kinds: str, accepted: int = 0, waits: int = 0) -> Committed:
    events = [Event(number, 0.0, kind) for number, kind in enumerate(kinds, 1)]
    return Committed(answers=[], events=events, values={}, waiting={}, accepted=accepted, waits=[("work", 0.3)] * waits)


def stats(oldest_queued_at: float | None = None, **tasks: int) -> StoreStats:
    nodes = {"online": 3, "draining": 1, "unreachable": 2, "gone": 9}
    return StoreStats(tasks=tasks, nodes=nodes, totals={}, last_event_id=0, oldest_queued_at=oldest_queued_at)


def test_a_sample_counts_what_happened_since_the_one_before() -> None:
    meter = Meter()
    sampler = Sampler(meter)
    meter.take(committed("task.succeeded", "task.failed", accepted=5), 1.0)
    first = sampler.take(stats(), 100.0)
    meter.take(committed("task.succeeded", "task.succeeded", "task.lost", accepted=1), 11.0)
    second = sampler.take(stats(), 110.0)
    assert (first.submitted, first.succeeded, first.failed, first.lost) == (5, 1, 1, 0)
    assert (second.submitted, second.succeeded, second.failed, second.lost) == (1, 2, 0, 1)


def test_a_sample_has_the_histograms_of_its_step_alone_and_none_where_nothing_was_measured() -> None:
    meter = Meter()
    sampler = Sampler(meter)
    meter.take(committed(waits=2), 1.0)
    assert sum(sampler.take(stats(), 100.0).waits) == 2
    meter.take(committed(waits=1), 11.0)
    again = sampler.take(stats(), 110.0)
    assert (sum(again.waits), again.runs) == (1, [])
    assert sampler.take(stats(), 120.0).waits == []


def test_a_sample_says_how_things_stand() -> None:
    one = Sampler(Meter()).take(stats(93.5, queued=7, running=2, scheduled=1), 100.0)
    assert (one.queued, one.running, one.scheduled, one.oldest_queued_s) == (7, 2, 1, 6.5)
    assert (one.nodes_online, one.nodes_away) == (4, 2)
    assert Sampler(Meter()).take(stats(), 100.0).oldest_queued_s == 0.0


def test_a_sample_is_of_the_step_whose_end_is_nearest() -> None:
    ends = [Sampler(Meter()).take(stats(), wall_s).at for wall_s in (99.9, 100.0, 100.4, 104.9)]
    assert ends == [100.0] * 4
