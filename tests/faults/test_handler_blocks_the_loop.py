"""A handler that blocks its event loop, or holds the interpreter itself: the session lives, and the result arrives."""

from __future__ import annotations

import pytest

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, HubProcess

# Longer than a hub with a heartbeat of a second waits for a node, and than one with two seconds does not.
BLOCKED_S = 4.5


async def test_a_handler_that_sleeps_on_its_loop_costs_neither_the_session_nor_threads(fleet: Fleet) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        blocked = await client.submit(app.block_the_loop, BLOCKED_S)
        gate = fleet.folder / "gate"
        gate.write_text("seen")
        in_thread = await client.submit(app.hold_in_thread, str(gate))
        assert await in_thread.result(PATIENCE_S) == "seen"
        assert (await blocked.get()).state == "running"
        assert await blocked.result(PATIENCE_S) == "done"
        assert (await client.node("n")).connects == 1
    assert fleet.truth.twice() == []


async def test_a_c_call_that_holds_the_interpreter_costs_no_session(fleet: Fleet) -> None:
    # Heartbeats of two seconds stand to this call as the usual ten stand to one of twenty.
    fleet.hub = HubProcess(fleet.folder / "hub", "--heartbeat-s", "2")
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.hold_the_interpreter, int(BLOCKED_S))
        assert await handle.result(PATIENCE_S) == "done"
        assert (await client.node("n")).connects == 1
        assert (await handle.get()).attempt == 1


@pytest.mark.parametrize("lease_s", [60.0, 1.5], ids=["within its lease", "past its lease"])
async def test_a_c_call_longer_than_the_hub_waits_ends_in_one_outcome(fleet: Fleet, lease_s: float) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.hold_the_interpreter.options(lease_s=lease_s), 5)
        # The whole process stands still, its session too; the node is back as soon as the call is.
        assert await handle.result(PATIENCE_S) == "done"
        assert (await client.node("n")).connects >= 1
        assert await (await client.submit(app.echo, 1)).result(PATIENCE_S) == 1
        totals = (await client.stats()).totals
        assert totals["succeeded"] == 2
    assert fleet.truth.twice() == []
    if lease_s > 5:
        assert fleet.truth.starts_of(handle.id) == 1
