"""A node sends each result three times, in any order, and some of attempts that are over: one outcome, totals right."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec import Raw

from moorline import Client, Retry, TaskFailed, task
from protocol import frames
from protocol.frames import AttemptKey
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.raw_node import RawNode, registered, succeeded
from tests.faults.told import final_states

TASKS = 200
SEED = 5


@task
def work(n: int) -> Any:
    """What the raw nodes of these tests say that they run."""
    raise NotImplementedError(n)


def failed(key: AttemptKey) -> frames.Result:
    error = frames.TaskError(kind="error", message=f"attempt {key[1]}")
    return frames.Result(task_id=key[0], attempt=key[1], outcome="failed", error=error)


async def send_shuffled(node: RawNode, results: list[frames.Result]) -> None:
    """Send results in any order, some together in a message and some alone."""
    luck = random.Random(SEED)
    luck.shuffle(results)
    while results:
        count = luck.randint(1, 7)
        await node.send(*results[:count])
        del results[:count]


async def check_totals(client: Client, **expected: int) -> None:
    """Every count, as the hub has it and as the events add up to; what is not named is 0."""
    totals = {"succeeded": 0, "failed": 0, "cancelled": 0, "lost": 0} | expected
    stats = await client.stats()
    assert {name: stats.totals[name] for name in totals} == totals
    assert all(len(states) == 1 for states in (await final_states(client)).values())


async def test_each_result_three_times_in_any_order_is_one_outcome(fleet: Fleet) -> None:
    fleet.hub.start()
    async with (
        Client(fleet.hub.url) as client,
        registered(fleet.hub.node_url, "raw", slots=TASKS) as node,
    ):
        handles = await client.submit_many(work, range(TASKS))
        keys = await node.tasks(TASKS)
        # Whichever of the three arrives first stands, and everybody is told the same.
        thrice = [succeeded(key, b'"%d"' % number) for key in keys for number in range(3)]
        await send_shuffled(node, thrice)
        await node.until_acked(keys)
        told = [await handle.result(PATIENCE_S) for handle in handles]
        assert set(told) == {"0", "1", "2"}
        assert [(await handle.get()).value for handle in handles] == told
        # Once more, when all is long over: success and failure.
        await send_shuffled(node, [*map(failed, keys), *(succeeded(key, b'"late"') for key in keys)])
        await node.send(frames.Heartbeat(sequence=10**6))
        await node.expect(frames.Ack)
        assert [(await handle.get()).value for handle in handles] == told
        await check_totals(client, succeeded=TASKS)


async def test_a_result_that_comes_on_three_connections_is_counted_once(fleet: Fleet) -> None:
    fleet.hub.start()
    keys: list[AttemptKey] = []
    async with Client(fleet.hub.url) as client:
        for _ in range(3):
            held = frames.Inventory(results=keys)
            async with registered(fleet.hub.node_url, "raw", instance_id="same", inventory=held) as node:
                if not keys:
                    handle = await client.submit(work, 1)
                    keys = await node.tasks(1)
                await node.send(succeeded(keys[0], b"1"))
                await node.until_acked(keys)
        assert await handle.result(PATIENCE_S) == 1
        await check_totals(client, succeeded=1)


async def test_results_of_old_attempts_change_nothing(fleet: Fleet) -> None:
    fleet.hub.start()
    retried = work.options(retry=Retry(max_attempts=3, initial_s=0.01))
    async with Client(fleet.hub.url) as client, registered(fleet.hub.node_url, "raw", slots=TASKS) as node:
        handles = await client.submit_many(retried, range(20))
        first = await node.tasks(20)
        await send_shuffled(node, [failed(key) for key in first for _ in range(3)])
        second = await node.tasks(20)
        assert sorted(second) == sorted((task_id, 2) for task_id, _ in first)
        # Of the old attempt there comes a success now: too late.
        await send_shuffled(node, [succeeded(key, b'"old"') for key in first for _ in range(3)])
        await send_shuffled(node, [failed(key) for key in second])
        third = await node.tasks(20)
        old = [succeeded(key, b'"old"') for key in first + second]
        await send_shuffled(node, old + [succeeded(key, b'"new"') for key in third])
        assert [await handle.result(PATIENCE_S) for handle in handles] == ["new"] * 20
        assert [(await handle.get()).attempt for handle in handles] == [3] * 20
        await check_totals(client, failed=40, succeeded=20)


async def test_results_of_attempts_that_never_were_change_nothing(fleet: Fleet) -> None:
    fleet.hub.start()
    async with Client(fleet.hub.url) as client, registered(fleet.hub.node_url, "raw") as node:
        handle = await client.submit(work, 1)
        (key,) = await node.tasks(1)
        never = [(key[0], 2), (key[0], 2**31 - 1), ("nobody.knows.me", 1)]
        await node.send(*(succeeded(other, b'"never"') for other in never))
        await node.until_acked(never)
        assert (await handle.get()).state == "running"
        await node.send(frames.Result(task_id=key[0], attempt=1, outcome="failed", value=Raw(b'"both"')))
        with pytest.raises(TaskFailed):
            await handle.result(PATIENCE_S)
        await check_totals(client, failed=1)
