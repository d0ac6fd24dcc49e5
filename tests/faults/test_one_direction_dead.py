"""The link carries nothing one way: both sides notice within the documented time, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from moorline import Client
from moorline.testing.fault_link import Direction
from moorline.testing.fault_proxy import FaultProxy
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, NodeProcess
from tests.faults.waiting import until, until_told

# Three heartbeats of a second without a word. A hub goes on hearing a node that hears nothing until that one leaves.
NODE_NOTICES_WITHIN_S = 3.0
HUB_NOTICES_WITHIN_S = NODE_NOTICES_WITHIN_S + 3.0

# The machine is shared.
ALLOWANCE_S = 5.0


@pytest.mark.parametrize("direction", ["up", "down", "both"])
async def test_it_is_noticed_in_time_and_nothing_is_lost(fleet: Fleet, direction: Direction) -> None:
    fleet.hub.start()
    async with FaultProxy("127.0.0.1", fleet.hub.node_port) as proxy, Client(fleet.hub.url) as client:
        node = NodeProcess(proxy.url("ws"), fleet.folder / "n", fleet.folder / "truth.ndjson", "n")
        fleet.nodes.append(node)
        node.start()
        gate = fleet.folder / "gate"
        held = await client.submit(app.hold, str(gate))
        short = [await client.submit(app.nap, 0.5) for _ in range(4)]
        await until(lambda: all(fleet.truth.starts_of(handle.id) for handle in [held, *short]), "five tasks run")
        proxy.black_hole(direction)
        began_s = time.monotonic()
        # Pushed, and perhaps swallowed.
        pushed = [await client.submit(app.echo, n) for n in range(3)]

        async def hub_has_noticed() -> bool:
            return (await client.node("n")).state != "online"

        async def node_has_noticed() -> bool:
            return "no session with a hub" in node.log

        async def seconds_until(fact: Callable[[], Awaitable[bool]]) -> float:
            await until_told(fact, fact.__name__)
            return time.monotonic() - began_s

        hub_s, node_s = await asyncio.gather(seconds_until(hub_has_noticed), seconds_until(node_has_noticed))
        print(f"{direction}: noticed by the hub after {hub_s:.1f} s, by the node after {node_s:.1f} s")
        assert node_s < NODE_NOTICES_WITHIN_S + ALLOWANCE_S
        assert hub_s < HUB_NOTICES_WITHIN_S + ALLOWANCE_S
        # Nothing is given to somebody else meanwhile, and nothing stops.
        assert (await held.get()).state == "running"
        proxy.mend()
        assert [await handle.result(PATIENCE_S) for handle in [*pushed, *short]] == [0, 1, 2, *[0.5] * 4]
        gate.write_text("seen")
        assert await held.result(PATIENCE_S) == "seen"
        totals = (await client.stats()).totals
        assert (totals["succeeded"], totals["lost"]) == (8, 0)
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in [held, *short, *pushed])
    assert node.alive
