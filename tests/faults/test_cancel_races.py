"""Cancel against finish, drain against push, a node's death against cancel: one final state, told alike to everyone."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from moorline import Client, TaskCancelled, TaskError
from moorline.handles import TaskHandle
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, NodeProcess
from tests.faults.told import final_states

SEED = 11
ROUNDS = 300

# How long the handlers of these races take: about as long as a cancel takes to reach them.
NAP_S = 0.02


async def outcome(handle: TaskHandle[float]) -> str:
    """Give the state that whoever waits for the result is told."""
    try:
        await handle.result(PATIENCE_S)
    except TaskCancelled:
        return "cancelled"
    except TaskError as error:
        return type(error).__name__
    return "succeeded"


async def check_told_the_same(client: Client, answers: dict[str, str]) -> None:
    """Hold what the waiting clients were told against the events, the tasks themselves and the counts."""
    states = await final_states(client)
    assert {task_id: states[task_id] for task_id in answers} == {task_id: [said] for task_id, said in answers.items()}
    for task_id, said in answers.items():
        assert (await client.get(task_id)).state == said
    counts = Counter(answers.values())
    stats = await client.stats()
    assert {state: stats.tasks.get(state, 0) for state in counts} == counts


async def test_cancel_against_finish(fleet: Fleet) -> None:
    fleet.hub.start()
    fleet.add_node("n", slots=8).wait_for_line("connected to hub")
    luck = random.Random(SEED)
    answers: dict[str, str] = {}
    said_of_cancel: dict[str, str] = {}

    async def one(client: Client) -> None:
        handle = await client.submit(app.nap, luck.random() * NAP_S)
        waiting = asyncio.create_task(outcome(handle))
        await asyncio.sleep(luck.random() * 2 * NAP_S)
        said_of_cancel[handle.id] = (await client.cancel(handle.id)).state
        answers[handle.id] = await waiting

    async with Client(fleet.hub.url) as client:
        for _ in range(ROUNDS // 10):
            await asyncio.gather(*(one(client) for _ in range(10)))
        # The answer to the cancel is the final state: the cancel's own, or the one that came first.
        assert said_of_cancel == answers
        assert set(answers.values()) == {"cancelled", "succeeded"}, "the race was never close"
        await check_told_the_same(client, answers)
        assert await (await client.submit(app.noop, 1)).result(PATIENCE_S) == 1
    assert fleet.truth.twice() == []
    # What succeeded ran, once; what was cancelled may not have.
    for task_id, state in answers.items():
        assert fleet.truth.starts_of(task_id) == 1 if state == "succeeded" else fleet.truth.starts_of(task_id) <= 1


async def test_drain_against_push(fleet: Fleet) -> None:
    fleet.hub.start()
    leaving, _ = (fleet.add_node(f"n{number}", slots=4) for number in range(2))
    luck = random.Random(SEED)
    async with Client(fleet.hub.url) as client:
        handles: list[TaskHandle[float]] = []
        for _ in range(3):
            leaving.wait_for_line("connected to hub", leaving.log.count("the node ends") + 1)
            for burst in range(20):
                handles += await client.submit_many(app.nap, [luck.random() * NAP_S for _ in range(5)])
                if burst == 10:
                    await client.drain("n0")
            assert await asyncio.to_thread(leaving.wait) == 0
            leaving.start()
        answers = {handle.id: await outcome(handle) for handle in handles}
        assert set(answers.values()) == {"succeeded"}
        await check_told_the_same(client, answers)
        assert (await client.stats()).totals["lost"] == 0
    # What was pushed to a node that was leaving went on or came back; nothing ran a second time.
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in handles)


async def test_a_nodes_death_against_cancel(fleet: Fleet) -> None:
    fleet.hub.start()
    victim = fleet.add_node("n0", slots=8)
    luck = random.Random(SEED)
    answers: dict[str, str] = {}
    async with Client(fleet.hub.url) as client:
        for _ in range(5):
            answers |= await one_death(client, victim, luck)
        await check_told_the_same(client, answers)
        assert {"cancelled", "succeeded"} <= set(answers.values()), "the race was never close"
    assert fleet.truth.twice() == []


async def one_death(client: Client, victim: NodeProcess, luck: random.Random) -> dict[str, str]:
    """Kill the node while what it runs is cancelled; bring it back, and give every outcome."""
    handles = await client.submit_many(app.nap, [luck.random() * 5 * NAP_S for _ in range(24)])
    waiting = [asyncio.create_task(outcome(handle)) for handle in handles]

    async def cancel(handle: TaskHandle[float]) -> None:
        await asyncio.sleep(luck.random() * 4 * NAP_S)
        await client.cancel(handle.id)

    cancelling = [asyncio.create_task(cancel(handle)) for handle in handles[::2]]
    await asyncio.sleep(luck.random() * 4 * NAP_S)
    await asyncio.to_thread(victim.kill)
    victim.start()
    await asyncio.gather(*cancelling)
    return dict(zip([handle.id for handle in handles], await asyncio.gather(*waiting), strict=True))
