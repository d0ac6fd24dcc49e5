"""Somebody sets the clock by a day, on the hub's machine or a node's: nothing moves but what names a time of day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorline import Client
from moorline.errors import TaskExpired
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, fleet_in, until
from tests.faults.crowd import online

DAY_S = 86_400.0

# Four heartbeats: a lease that a jump of the clock could end would end within the test.
LEASE_S = 4.0


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with fleet_in(tmp_path) as fleet:
        (tmp_path / "hub-clock").write_text("0")
        fleet.hub.launcher = ["-m", "tests.faults.jumping", str(tmp_path / "hub-clock")]
        fleet.hub.start()
        yield fleet


def set_clock(path: Path, offset_s: float) -> None:
    """Replace the file as a whole: a reader finds the old offset or the new one."""
    draft = path.with_suffix(".new")
    draft.write_text(str(offset_s))
    draft.replace(path)


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
async def test_a_jump_on_the_hub_moves_no_lease_and_no_delay(fleet: Fleet, tmp_path: Path, jump_s: float) -> None:
    fleet.add_node("n0")
    gate = tmp_path / "gate"
    async with Client(fleet.hub.url) as client:
        await online(client, "n0")
        held = await client.submit(app.hold.options(lease_s=LEASE_S), str(gate))
        await asyncio.to_thread(until, lambda: fleet.truth.starts_of(held.id), "a start")
        set_clock(tmp_path / "hub-clock", jump_s)
        soon = await client.submit(app.noop.options(delay_s=2.0))
        later = await client.submit(app.noop.options(delay_s=600.0))
        # It is due two seconds later, whatever the clock on the wall says: by then the lease was renewed twice.
        await soon.result(PATIENCE_S)
        late = await client.submit(app.noop.options(delay_s=LEASE_S))
        await late.result(PATIENCE_S)
        assert (await client.get(later.id)).state == "scheduled"
        gate.write_text("seen")
        assert await held.result(PATIENCE_S) == "seen"
        [node] = await client.nodes()
        assert node.state == "online"
        assert node.disconnects == 0
    assert fleet.truth.starts_of(held.id) == 1


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
async def test_a_jump_while_the_hub_is_down_holds_up_nothing(fleet: Fleet, tmp_path: Path, jump_s: float) -> None:
    async with Client(fleet.hub.url) as client:
        soon = await client.submit(app.noop.options(delay_s=3.0))
        fleet.hub.kill()
        set_clock(tmp_path / "hub-clock", jump_s)
        await asyncio.to_thread(fleet.hub.start)
        fleet.add_node("n0")
        await soon.result(PATIENCE_S)
    assert fleet.truth.starts_of(soon.id) == 1


async def test_what_names_a_time_of_day_follows_the_clock(fleet: Fleet, tmp_path: Path) -> None:
    async with Client(fleet.hub.url) as client:
        now_s = time.time()
        due = await client.submit(app.noop.options(not_before=now_s + DAY_S / 2))
        expiring = await client.submit(app.noop.options(requires={"no": "node"}, deadline=now_s + DAY_S / 2))
        set_clock(tmp_path / "hub-clock", DAY_S)
        fleet.add_node("n0")
        await due.result(PATIENCE_S)
        with pytest.raises(TaskExpired):
            await expiring.result(PATIENCE_S)


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
async def test_a_jump_on_a_node_moves_no_lease_and_no_timeout(fleet: Fleet, tmp_path: Path, jump_s: float) -> None:
    clock = tmp_path / "node-clock"
    clock.write_text("0")
    node = fleet.add_node("n0", launcher=["-m", "tests.faults.jumping", str(clock)])
    gate = tmp_path / "gate"
    async with Client(fleet.hub.url) as client:
        await online(client, "n0")
        held = await client.submit(app.hold.options(lease_s=LEASE_S, timeout_s=120.0), str(gate))
        await asyncio.to_thread(until, lambda: fleet.truth.starts_of(held.id), "a start")
        set_clock(clock, jump_s)
        waits = await client.submit(app.nap, 2 * LEASE_S)
        await waits.result(PATIENCE_S)
        gate.write_text("seen")
        assert await held.result(PATIENCE_S) == "seen"
        view = await client.get(held.id)
        assert 0 <= (view.run_s or 0) < PATIENCE_S
        assert (await client.nodes())[0].disconnects == 0
    assert node.alive
    assert fleet.truth.starts_of(held.id) == 1
