"""The scenario that started it: the hub is killed, and everything is as if it had not been."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet


async def get(fleet: Fleet, path: str) -> Any:
    async with aiohttp.ClientSession() as http, http.get(fleet.hub.url + path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def nodes(fleet: Fleet) -> dict[str, Any]:
    return {node["id"]: node for node in (await get(fleet, "/v1/nodes"))["nodes"]}


async def until(fact: Callable[[], Any], what: str) -> None:
    """Wait for a fact that is asked for over the API."""
    async with asyncio.timeout(PATIENCE_S):
        while not await fact():
            await asyncio.sleep(0.05)


async def all_online(fleet: Fleet, count: int) -> bool:
    found = await nodes(fleet)
    return sum(node["state"] == "online" for node in found.values()) == count


async def start(fleet: Fleet, count: int, **options: Any) -> None:
    fleet.hub.start()
    for number in range(count):
        fleet.add_node(f"n{number}", **options)
    await until(lambda: all_online(fleet, count), f"{count} nodes online")


async def test_every_node_is_back_totals_are_kept_and_a_running_task_finishes_once(fleet: Fleet) -> None:
    await start(fleet, 3)
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        early = [await client.submit(app.noop, n) for n in range(30)]
        assert [await handle.result(PATIENCE_S) for handle in early] == list(range(30))
        before = await nodes(fleet)
        held = [await client.submit(kind, str(gate)) for kind in (app.hold, app.hold_in_thread, app.hold_in_process)]
        await until(_started(fleet, held), "three tasks running")
        fleet.hub.kill()
        fleet.hub.start()
        await until(lambda: all_online(fleet, 3), "all nodes back")
        after = await nodes(fleet)
        gate.write_text("seen")
        assert [await handle.result(PATIENCE_S) for handle in held] == ["seen"] * 3
        late = [await client.submit(app.noop, n) for n in range(30)]
        assert [await handle.result(PATIENCE_S) for handle in late] == list(range(30))
    for node_id, node in before.items():
        assert after[node_id]["totals"] == node["totals"]
        assert after[node_id]["first_seen_at"] == node["first_seen_at"]
        assert after[node_id]["connects"] > node["connects"]
    assert all(node.alive for node in fleet.nodes)
    assert fleet.truth.twice() == []
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in [*early, *held, *late])


def _started(fleet: Fleet, handles: list[Any]) -> Callable[[], Any]:
    async def started() -> bool:
        return all(fleet.truth.starts_of(handle.id) for handle in handles)

    return started


async def test_with_an_emptied_store_the_nodes_register_as_new_and_nothing_hangs(fleet: Fleet) -> None:
    await start(fleet, 2)
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        held = await client.submit(app.hold, str(gate))
        await until(_started(fleet, [held]), "a task running")
        fleet.hub.kill()
        shutil.rmtree(fleet.hub.state)
        fleet.hub.start()
        await until(lambda: all_online(fleet, 2), "all nodes registered as new")
    # The store has no such task: its node keeps it running, and its result goes into quarantine and is acked.
    gate.write_text("seen")
    async with Client(fleet.hub.url) as client:
        fresh = [await client.submit(app.noop, n) for n in range(40)]
        assert [await handle.result(PATIENCE_S) for handle in fresh] == list(range(40))

    async def outboxes_are_empty() -> bool:
        return all(not node["outbox"] and not node["slots_in_use"] for node in (await nodes(fleet)).values())

    await until(outboxes_are_empty, "the unknown result is taken")
    assert fleet.truth.starts_of(held.id) == 1


@pytest.mark.timeout(300)
async def test_twenty_kills_in_a_row_lose_nothing_and_run_nothing_twice(fleet: Fleet) -> None:
    await start(fleet, 3)
    async with Client(fleet.hub.url) as client:
        handles = []
        for kill in range(20):
            handles += [await client.submit(app.nap, 0.002 * (n % 50)) for n in range(25)]
            fleet.hub.restart()
            # Not every round waits for every node: some kills hit nodes that are on their way back.
            if kill % 3 == 2:
                await until(lambda: all_online(fleet, 3), "all nodes back")
        results = await asyncio.gather(*(handle.result(120) for handle in handles))
        assert len(results) == 500
    found = await nodes(fleet)
    assert sum(node["totals"]["succeeded"] for node in found.values()) == 500
    assert fleet.truth.twice() == []
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in handles)
    assert all(node.alive for node in fleet.nodes)
