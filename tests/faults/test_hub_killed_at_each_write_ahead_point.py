"""The hub dies between any two things that it does; its nodes and clients carry on, and nothing runs twice."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import pytest
from websockets import ConnectionClosed

from hub.failpoints import NAMES
from moorline import Client, HubUnavailableError
from protocol import frames
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, fleet_in, until
from tests.faults.armed import restart
from tests.faults.crowd import carry_on_through, online
from tests.faults.raw_node import connected, register, succeeded

# Reached when a node comes back, or an operator acts: not by a client's work.
COMING_BACK = {
    *(f"hub.{when}_send.{frame}" for when in ("before", "after") for frame in ("resumed", "unknown_session")),
}
BROADCASTING = {"hub.before_commit.broadcast", "hub.after_commit.broadcast", "hub.before_reply.broadcast"}
RELEASING = {"hub.before_commit.release", "hub.after_commit.release"}
FETCHING = {"hub.before_commit.fetch", "hub.after_commit.fetch"}
# Four heartbeats.
LEASE_S = 4.0

# Reached when somebody is to be told: `test_alerts_interrupted.py`.
TELLING = {f"hub.{when}_commit.{what}" for when in ("before", "after") for what in ("alert", "forget")}
POINTS = sorted(set(NAMES) - COMING_BACK - BROADCASTING - RELEASING - FETCHING - TELLING)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One hub and two nodes for all of these: each death is followed by the next, as in a bad night."""
    with fleet_in(tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.hub.start()
        for number in range(2):
            fleet.add_node(f"n{number}")
        yield fleet


async def die_and_return(fleet: Fleet, point: str, nth: int) -> None:
    hub = fleet.hub
    restart(hub, f"{point}:kill:{nth}", hub.begin)
    async with Client(hub.url) as client:
        crowd = await carry_on_through(fleet, client, mend=hub.start, is_broken=lambda: not hub.alive)
    crowd.check()
    assert all(node.alive for node in fleet.nodes)


@pytest.mark.parametrize("point", POINTS)
async def test_a_hub_that_dies_there_loses_nothing_and_nothing_runs_twice(fleet: Fleet, point: str) -> None:
    await die_and_return(fleet, point, 1)


@pytest.mark.soak
@pytest.mark.parametrize("nth", [2, 3])
@pytest.mark.parametrize("point", POINTS)
async def test_a_hub_that_dies_there_later_loses_nothing_either(fleet: Fleet, point: str, nth: int) -> None:
    await die_and_return(fleet, point, nth)


@pytest.mark.parametrize("point", sorted(COMING_BACK))
async def test_a_hub_that_dies_as_a_node_comes_back_finds_it_back_again(fleet: Fleet, point: str) -> None:
    hub = fleet.hub
    restart(hub, f"{point}:kill")
    # A connection that breaks is resumed; a node that was forgotten meets an unknown session.
    breaks = "unknown" not in point
    node = fleet.add_node("n-back", failpoint="node.before_send.heartbeat:error" if breaks else None)
    async with Client(hub.url) as client:
        if not breaks:
            await online(client, "n-back")
            await client.disconnect("n-back")
        await asyncio.to_thread(hub.wait_for_death)
        crowd = await carry_on_through(fleet, client, mend=hub.start, is_broken=lambda: True)
        await online(client, "n-back")
    crowd.check()
    node.kill()
    fleet.nodes.remove(node)


@pytest.mark.parametrize("point", sorted(FETCHING))
async def test_a_hub_that_dies_as_it_reads_what_a_node_lacks_pushes_it_when_it_is_back(
    fleet: Fleet, point: str
) -> None:
    hub = fleet.hub
    restart(hub, f"{point}:kill")
    greeting = register("n-lacking", handlers=[app.noop.name])
    async with Client(hub.url) as client:
        async with connected(hub.node_url) as node:
            await node.enter(greeting)
            lacking = await client.submit(app.noop.options(node="n-lacking"))
            keys = await node.tasks(1)
        async with connected(hub.node_url) as node:
            # The hub may die before its answer has left.
            with contextlib.suppress(ConnectionClosed):
                await node.enter(greeting)
            await asyncio.to_thread(hub.wait_for_death)
        await asyncio.to_thread(hub.start)
        async with connected(hub.node_url) as node:
            await node.enter(greeting)
            assert await node.tasks(1) == keys == [(lacking.id, 1)]
            await node.send(*map(succeeded, keys))
            await node.until_acked(keys)
            await node.send(frames.Bye())
            await node.closed()
        await lacking.result(PATIENCE_S)


@pytest.mark.parametrize("point", sorted(BROADCASTING))
async def test_a_broadcast_that_a_death_interrupts_reaches_each_node_once(fleet: Fleet, point: str) -> None:
    hub = fleet.hub
    restart(hub, f"{point}:kill", hub.begin)
    async with Client(hub.url) as client:
        await online(client, "n0", "n1")
        asked = asyncio.create_task(client.broadcast(app.noop))
        await asyncio.to_thread(hub.wait_for_death)
        await asyncio.to_thread(hub.start)
        group = await asked
        assert sorted(group.handles) == ["n0", "n1"]
        for handle in group.handles.values():
            await handle.result(PATIENCE_S)
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in group.handles.values())


@pytest.mark.parametrize("point", sorted(RELEASING))
async def test_a_release_that_a_death_interrupts_is_done_once(fleet: Fleet, point: str) -> None:
    hub, gate = fleet.hub, fleet.folder / f"gate of {point}"
    restart(hub, f"{point}:kill")
    async with Client(hub.url) as client:
        await online(client, "n0", "n1")
        held = await client.submit(app.hold.options(lease_s=LEASE_S), str(gate))
        await asyncio.to_thread(until, lambda: fleet.truth.starts_of(held.id), "a start")
        holder = fleet.node((await client.get(held.id)).node or "")
        holder.signal(signal.SIGSTOP)
        await asyncio.to_thread(hub.wait_for_death)
        await asyncio.to_thread(hub.start)
        await asyncio.to_thread(until, lambda: fleet.truth.starts_of(held.id) == 2, "a second start on the other node")
        holder.signal(signal.SIGCONT)
        await online(client, "n0", "n1")
        gate.write_text("seen")
        assert await held.result(PATIENCE_S) == "seen"
    assert fleet.truth.starts_of(held.id) == 2
    assert fleet.truth.twice() == []


async def test_what_was_done_before_a_death_stands_in_the_audit_log(fleet: Fleet) -> None:
    hub = fleet.hub
    restart(hub, "hub.after_commit.cancel:kill")
    async with Client(hub.url) as client:
        waiting = await client.submit(app.noop.options(requires={"nobody": "has"}))
        with pytest.raises(HubUnavailableError):
            await client.cancel(waiting.id)
        await asyncio.to_thread(hub.wait_for_death)
        await asyncio.to_thread(hub.start)
        assert (await client.get(waiting.id)).state == "cancelled"
        lines = [(entry.action, entry.target) async for entry in client.audit(limit=10)]
    assert ("task.cancel", waiting.id) in lines


@pytest.mark.parametrize("point", sorted(name for name in POINTS if name.startswith("hub.before_commit")))
async def test_a_commit_that_fails_there_is_made_up_for(fleet: Fleet, point: str) -> None:
    hub = fleet.hub
    # Counted while it is dead, so that none is counted that comes from before.
    hub.kill()
    recovered = hub.log.count("recovered")
    restart(hub, f"{point}:error")
    async with Client(hub.url) as client:
        crowd = await carry_on_through(
            fleet, client, mend=lambda: None, is_broken=lambda: hub.log.count("recovered") > recovered
        )
    crowd.check()


@pytest.mark.parametrize(
    "point", sorted(name for name in POINTS if name.startswith("hub.before_send") and "unknown" not in name)
)
async def test_a_connection_that_breaks_there_costs_nothing(fleet: Fleet, point: str) -> None:
    hub = fleet.hub
    hub.kill()
    joins = sum(node.log.count("connected to hub") for node in fleet.nodes)
    restart(hub, f"{point}:error")
    # Both nodes come once, and the one whose connection breaks comes again; a registration that broke was none.
    expected = joins + (2 if point.endswith("registered") else 3)
    async with Client(hub.url) as client:
        crowd = await carry_on_through(
            fleet,
            client,
            mend=lambda: None,
            is_broken=lambda: sum(node.log.count("connected to hub") for node in fleet.nodes) >= expected,
        )
    crowd.check()
