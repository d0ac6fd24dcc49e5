"""The hub stands still: its nodes leave and return, and what lies unread of their old connections does nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.waiting import until, until_told

NODES = 3


@pytest.mark.parametrize(
    "stopped_s", [8.0, pytest.param(45.0, marks=[pytest.mark.soak, pytest.mark.timeout(300)])], ids=["8 s", "45 s"]
)
async def test_nodes_leave_a_hub_that_stands_still_and_return_to_it(fleet: Fleet, stopped_s: float) -> None:
    fleet.hub.start()
    for number in range(NODES):
        fleet.add_node(f"n{number}").wait_for_line("connected to hub")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        # Of each node: what ends while the hub stands still, what goes on after it, and work for the time after it.
        # Each lease is longer than the standstill, and no shorter than a hub may take to hear of its nodes again.
        lease_s = stopped_s + 60
        held = [await client.submit(app.hold.options(lease_s=lease_s), str(gate)) for _ in range(NODES)]
        short = [await client.submit(app.nap.options(lease_s=lease_s), 2.0) for _ in range(NODES * 2)]
        everything = [*held, *short]
        await until(lambda: all(fleet.truth.starts_of(handle.id) for handle in everything), "all run")
        before = {node.id: node for node in await client.nodes()}
        os.kill(fleet.hub.pid, signal.SIGSTOP)
        try:
            began_s = time.monotonic()
            # Nodes leave after three heartbeats of a second, and knock in vain from then on: their handshakes wait in
            # the kernel until the hub wakes, by then of connections that they have left.
            await until(lambda: all("the hub said nothing" in node.log for node in fleet.nodes), "nodes leave")
            await until(lambda: ended(fleet) >= len(short), "handlers end meanwhile")
            await asyncio.sleep(max(0.0, began_s + stopped_s - time.monotonic()))
        finally:
            os.kill(fleet.hub.pid, signal.SIGCONT)

        async def all_are_back() -> bool:
            nodes = await client.nodes()
            return all(node.state == "online" and node.connects > before[node.id].connects for node in nodes)

        await until_told(all_are_back, "all nodes are back")
        late = [await client.submit(app.noop, n) for n in range(20)]
        assert [await handle.result(PATIENCE_S) for handle in late] == list(range(20))
        gate.write_text("seen")
        assert [await handle.result(PATIENCE_S) for handle in held] == ["seen"] * NODES
        assert [await handle.result(PATIENCE_S) for handle in short] == [2.0] * len(short)
        assert [(await handle.get()).attempt for handle in everything] == [1] * len(everything)
        totals = (await client.stats()).totals
        assert (totals["succeeded"], totals["lost"]) == (len(everything) + 20, 0)
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in everything)
    assert all(node.alive for node in fleet.nodes)
    assert "Traceback" not in fleet.hub.log


def ended(fleet: Fleet) -> int:
    return sum(line["event"] == "end" for line in fleet.truth.lines())
