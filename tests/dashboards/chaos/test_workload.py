from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import islice

import pytest

from dashboards.chaos.customers import Customer, Log
from dashboards.chaos.pack import chaos_tasks
from dashboards.chaos.workload import PlannedTask, plan_tasks
from moorline import Options, Retry
from moorline.testing import LocalClient, run_locally

TASKS = [chaos_tasks.nap, chaos_tasks.nap_in_thread, chaos_tasks.nap_in_process, chaos_tasks.try_again]


def planned(seed: str, count: int) -> list[PlannedTask]:
    return list(islice(plan_tasks(seed, lease_s=20, freed_after_s=25.2), count))


def seconds_of(task: PlannedTask) -> float:
    return float(str(task.payload["seconds"]))


def test_the_same_seed_gives_the_same_mixture() -> None:
    assert planned("1", 50) == planned("1", 50)
    assert planned("1", 50) != planned("2", 50)


def test_the_mixture_has_all_that_is_to_be_tried() -> None:
    tasks = planned("1", 1_000)
    names = Counter(task.name for task in tasks)
    assert set(names) == {task.name for task in TASKS}
    assert {task.options.on_lost for task in tasks} == {"retry", "fail"}
    assert all(task.options.lease_s == 20 for task in tasks)
    for special in (
        [task for task in tasks if task.cancel_after_s is not None],
        [task for task in tasks if task.is_sent_twice],
        [task for task in tasks if task.fails_for_good],
        [task for task in tasks if task.options.priority],
        [task for task in tasks if seconds_of(task) > 5],
        # Longer than it takes the hub to give an attempt away.
        [task for task in tasks if seconds_of(task) > 25.2],
    ):
        assert 10 < len(special) < 500
    assert all(task.options.idempotency_key for task in tasks if task.is_sent_twice)


def test_the_handlers_do_what_they_are_asked_for() -> None:
    assert run_locally(chaos_tasks.nap, 0.01) == 0.01
    assert run_locally(chaos_tasks.nap_in_thread, 0.01) == 0.01
    assert run_locally(chaos_tasks.nap_in_process, 0.01) == 0.01
    assert run_locally(chaos_tasks.try_again, 0.0, 0) == 1
    with pytest.raises(Exception, match="attempt 1 was to fail"):
        run_locally(chaos_tasks.try_again, 0.0, 1)


def nap(seconds: float, **changes: object) -> PlannedTask:
    return PlannedTask(name="chaos.nap", payload={"seconds": seconds}, options=Options(), **changes)  # type: ignore[arg-type]


async def served(*submitted: PlannedTask, open_max: int = 10) -> Log:
    """Let a customer submit these, and wait for all of it."""
    log = Log()
    async with LocalClient(TASKS, slots=20) as client:

        def tasks():
            yield from submitted
            customer.stop()
            # Whoever stops is about to submit one more.
            yield nap(0.0)

        customer = Customer(client, tasks(), log, rate_per_s=1_000, open_max=open_max)
        async with asyncio.timeout(20):
            await customer.run()
    return log


async def test_a_customer_writes_down_what_was_accepted_and_told() -> None:
    failing = PlannedTask(
        name="chaos.try_again",
        payload={"seconds": 0.0, "fails_until": 9},
        options=Options(retry=Retry(max_attempts=2, initial_s=0.0)),
        fails_until=9,
        fails_for_good=True,
    )
    log = await served(nap(0.01), failing)
    assert log.tries == len(log.submitted) == len(log.told) == 3
    assert log.outcomes == {"succeeded": 2, "failed": 1}
    assert log.open_tasks == []
    assert log.problems == []
    assert {task.fails_for_good for task in log.submitted.values()} == {True, False}


async def test_a_customer_cancels_and_notes_when_it_asked() -> None:
    before_at = time.time()
    log = await served(nap(60.0, cancel_after_s=0.05))
    assert log.outcomes["cancelled"] == 1
    (cancelled_at,) = [task.cancelled_at for task in log.submitted.values() if task.cancelled_at is not None]
    assert before_at < cancelled_at <= time.time()


async def test_what_is_sent_twice_is_taken_once() -> None:
    twice = PlannedTask(
        name="chaos.nap", payload={"seconds": 0.01}, options=Options(idempotency_key="k"), is_sent_twice=True
    )
    log = await served(twice)
    assert log.duplicates_refused == 1
    assert len(log.submitted) == 2
    assert log.problems == []


async def test_a_hub_that_takes_it_twice_is_found_out() -> None:
    twice = nap(0.01, is_sent_twice=True)
    log = await served(twice)
    assert log.duplicates_refused == 0
    assert "gave a second task" in log.problems[0]


async def test_a_task_that_is_refused_is_a_problem_and_not_the_end() -> None:
    log = await served(PlannedTask(name="unheard.of", options=Options()), nap(0.01))
    assert log.outcomes == {"succeeded": 2}
    assert "unheard.of was refused" in log.problems[0]


async def test_no_more_are_under_way_at_once_than_is_allowed() -> None:
    log = await served(*(nap(0.02) for _ in range(12)), open_max=2)
    times = sorted((task.at, 1) for task in log.submitted.values())
    ends = sorted((told.at, -1) for told in log.told)
    most = now = 0
    for _, step in sorted([*times, *ends]):
        now += step
        most = max(most, now)
    # One more while it stops: whoever waits for room is let go.
    assert most <= 3
