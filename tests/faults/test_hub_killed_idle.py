"""The hub is killed while nothing ends and nothing begins, and comes back after a second, ten or sixty."""

from __future__ import annotations

import pytest

from moorline import Client
from tests.end_to_end.processes import Fleet
from tests.faults.killed_while_idle import BACK_WITHIN_S, IdleFleet, changed_records


async def kill_idle_hub(fleet: Fleet, size: int, down_s: float) -> None:
    async with Client(fleet.hub.url) as client:
        idle = IdleFleet(fleet, client, size)
        await idle.start()
        before = await idle.views()
        back_s = await idle.kill_and_return(down_s)
        print(f"{size} nodes, hub away for {down_s:g} s: all back {back_s:.2f} s after it was ready")
        assert changed_records(before, await idle.views()) == []
        await idle.finish()
        # One connection each: whoever had tried to resume would have been told that its session is unknown.
        assert not any("does not know the session" in node.log for node in fleet.nodes)
        assert back_s <= BACK_WITHIN_S


async def test_every_node_is_back_totals_are_unchanged_and_what_ran_ends_once(fleet: Fleet) -> None:
    await kill_idle_hub(fleet, size=6, down_s=1)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("down_s", [1, 10, 60])
async def test_fifty_nodes_are_back_as_soon_however_long_the_hub_was_away(fleet: Fleet, down_s: float) -> None:
    await kill_idle_hub(fleet, size=50, down_s=down_s)
