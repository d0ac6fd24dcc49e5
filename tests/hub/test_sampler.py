from __future__ import annotations

import asyncio

from hub.decisions.meter import Meter
from hub.decisions.samples import Sample
from hub.sampler import SampleTimer, pause_s
from hub.store.errors import StoreUnavailableError
from hub.store.stats import StoreStats

STATS = StoreStats(tasks={"queued": 3}, nodes={}, totals={}, last_event_id=0, oldest_queued_at=None)


def test_it_waits_until_the_end_of_the_step_and_a_timer_that_was_early_takes_no_second_sample() -> None:
    assert pause_s(100.0) == 10.0
    assert pause_s(104.0) == 6.0
    assert pause_s(109.5) == 10.5


async def test_a_sample_is_measured_and_put_to_the_store() -> None:
    kept: list[Sample] = []

    async def measure() -> StoreStats:
        return STATS

    def keep(sample: Sample) -> bool:
        kept.append(sample)
        return True

    await SampleTimer(Meter(), measure, keep, lambda: 100.0).take()
    assert [(sample.at, sample.queued) for sample in kept] == [(100.0, 3)]


async def test_a_store_that_does_not_answer_or_takes_nothing_costs_one_sample() -> None:
    answers = [False, True]
    kept: list[float] = []
    clock = [100.0]
    is_away = True

    async def measure() -> StoreStats:
        if is_away:
            raise StoreUnavailableError("locked")
        return STATS

    def keep(sample: Sample) -> bool:
        kept.append(sample.at)
        return answers.pop(0)

    timer = SampleTimer(Meter(), measure, keep, lambda: clock[0])
    await timer.take()
    assert kept == []
    is_away = False
    for clock[0] in (110.0, 120.0):
        await timer.take()
    assert kept == [110.0, 120.0]


async def test_a_fault_costs_one_sample_and_not_all_that_follow() -> None:
    failures: list[Exception] = [RuntimeError("a bug")]
    kept = asyncio.Event()

    async def measure() -> StoreStats:
        if failures:
            raise failures.pop()
        return STATS

    def keep(_: Sample) -> bool:
        kept.set()
        return True

    # A moment before the end of a step, whenever it is asked.
    timer = SampleTimer(Meter(), measure, keep, lambda: 108.99)
    timer.start()
    async with asyncio.timeout(20):
        await kept.wait()
    timer.stop()
    assert failures == []


async def test_starting_and_stopping_twice_is_harmless() -> None:
    async def measure() -> StoreStats:
        return STATS

    timer = SampleTimer(Meter(), measure, lambda _: True, lambda: 100.0)
    timer.start()
    timer.start()
    timer.stop()
    timer.stop()
