"""Every connection is reset every 0.2-3 s: nothing is lost, nothing runs twice, and most of the work is done."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import pytest

from moorline import Client
from moorline.handles import TaskHandle
from moorline.testing.fault_proxy import FaultProxy
from tests.end_to_end import app
from tests.end_to_end.processes import Fleet, NodeProcess
from tests.faults.resets import resetting
from tests.faults.told import final_states
from tests.faults.waiting import until_told

NODES = 3
SLOTS = 4
SEED = 3

# So long everything is reset; and so long results may take to arrive through it.
DISTURBED_S = 10.0
ARRIVES_WITHIN_S = 90.0

# How long each rate is taken. A connection lives for 1.6 s here and a node is then away for a quarter of a second: what
# runs goes on meanwhile, and a slot that has become free waits for the next connection.
RATE_OVER_S = 60.0
RATE_SHARE_MIN = 0.8


def add_nodes(fleet: Fleet, url: str) -> None:
    for number in range(NODES):
        node_id = f"n{number}"
        node = NodeProcess(url, fleet.folder / node_id, fleet.folder / "truth.ndjson", node_id, slots=SLOTS)
        fleet.nodes.append(node)
        node.start()
        node.wait_for_line("connected to hub")


@contextlib.asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", port) as proxy:
        yield proxy


@pytest.mark.timeout(240)
async def test_nothing_is_lost_and_nothing_runs_twice(fleet: Fleet) -> None:
    fleet.hub.start()
    async with proxy_to(fleet.hub.node_port) as to_nodes, proxy_to(fleet.hub.http_port) as to_clients:
        await asyncio.to_thread(add_nodes, fleet, to_nodes.url("ws"))
        handles: list[TaskHandle[float]] = []
        async with Client(to_clients.url("http")) as client:
            async with resetting(to_nodes, seed=SEED), resetting(to_clients, seed=SEED + 1):
                began_s = time.monotonic()
                while time.monotonic() < began_s + DISTURBED_S:
                    handles += await client.submit_many(app.nap, [0.01 * n for n in range(10)])
                    await asyncio.sleep(0.2)
                resets = to_nodes.connections_total + to_clients.connections_total
            results = await asyncio.gather(*(handle.result(ARRIVES_WITHIN_S) for handle in handles))
            assert results == [0.01 * n for n in range(10)] * (len(handles) // 10)
        async with Client(fleet.hub.url) as client:
            totals = (await client.stats()).totals
            assert (totals["succeeded"], totals["failed"], totals["lost"]) == (len(handles), 0, 0)
            assert set(map(tuple, (await final_states(client)).values())) == {("succeeded",)}
            print(f"{len(handles)} tasks over {resets} connections")
    assert fleet.truth.twice() == []
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in handles)
    assert all(node.alive for node in fleet.nodes)


async def rate_of(client: Client, over_s: float) -> float:
    """Give how many tasks are done in a second, where there is always more to do."""
    before = (await client.stats()).totals["succeeded"]
    began_s = time.monotonic()
    await asyncio.sleep(over_s)
    return ((await client.stats()).totals["succeeded"] - before) / (time.monotonic() - began_s)


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("work_s", [1.0, 10.0], ids=["short-work", "long-work"])
async def test_most_of_the_undisturbed_rate_of_work_is_kept(fleet: Fleet, work_s: float) -> None:
    fleet.hub.start()
    luck = random.Random(SEED)
    async with proxy_to(fleet.hub.node_port) as proxy, Client(fleet.hub.url) as client:
        await asyncio.to_thread(add_nodes, fleet, proxy.url("ws"))
        more_than_enough = int(4 * RATE_OVER_S / work_s * NODES * SLOTS)
        # Of many lengths, so that they do not end together and are counted together.
        await client.submit_many(app.nap, [luck.uniform(0.5, 1.5) * work_s for _ in range(more_than_enough)])

        async def all_slots_are_full() -> bool:
            return (await client.stats()).tasks["running"] == NODES * SLOTS

        await until_told(all_slots_are_full, "all slots are full")
        undisturbed = await rate_of(client, RATE_OVER_S)
        async with resetting(proxy, seed=SEED):
            disturbed = await rate_of(client, RATE_OVER_S)
        print(f"{undisturbed:.2f} tasks/s undisturbed, {disturbed:.2f} with resets: {disturbed / undisturbed:.0%}")
        assert disturbed >= RATE_SHARE_MIN * undisturbed
    assert fleet.truth.twice() == []
