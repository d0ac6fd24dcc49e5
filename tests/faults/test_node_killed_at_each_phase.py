"""A node dies between any two things that it does: an attempt starts once, and what it had finished still arrives."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from moorline import Client
from moorline.errors import TaskLost
from node.failpoints import NAMES
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, fleet_in
from tests.faults.armed import restart
from tests.faults.crowd import carry_on_through

# Reached when a node leaves, or its connection breaks: not by a client's work.
ON_LEAVING = {f"node.{when}_send.{frame}" for when in ("before", "after") for frame in ("bye", "drain")}
ON_RESUMING = {
    *(f"node.{when}_send.resume" for when in ("before", "after")),
    *(f"node.after_receive.{frame}" for frame in ("resumed", "unknown_session")),
}
ON_STARTING = {"node.before_journal", "node.after_journal"}
AT_WORK = sorted(set(NAMES) - ON_LEAVING - ON_RESUMING - ON_STARTING)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One hub and two nodes for all of these; the first node is the one that dies."""
    with fleet_in(tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.hub.start()
        for number in range(2):
            fleet.add_node(f"n{number}")
        yield fleet


def restart_victim(fleet: Fleet, failpoint: str) -> int:
    """Start the first node again with a failpoint, and whoever is dead without one; give how often the first had joined
    before.
    """
    victim, *others = fleet.nodes
    for node in others:
        if not node.alive:
            node.start()
    # Then its last lines have been read.
    victim.kill()
    joined = victim.log.count("connected to hub")
    restart(victim, failpoint)
    return joined


async def die_and_return(fleet: Fleet, failpoint: str) -> None:
    victim = fleet.nodes[0]
    restart_victim(fleet, failpoint)
    async with Client(fleet.hub.url) as client:
        crowd = await carry_on_through(fleet, client, mend=victim.start, is_broken=lambda: not victim.alive)
    # Twice: it was killed before, to be started with the failpoint.
    crowd.check(node_deaths=2)


@pytest.mark.parametrize("point", AT_WORK)
async def test_a_node_that_dies_there_starts_no_attempt_twice(fleet: Fleet, point: str) -> None:
    await die_and_return(fleet, f"{point}:kill")


@pytest.mark.soak
@pytest.mark.parametrize("nth", [2, 3])
@pytest.mark.parametrize("point", AT_WORK)
async def test_a_node_that_dies_there_later_starts_no_attempt_twice(fleet: Fleet, point: str, nth: int) -> None:
    await die_and_return(fleet, f"{point}:kill:{nth}")


@pytest.mark.parametrize("point", sorted(ON_STARTING))
async def test_a_node_that_dies_as_it_starts_is_back_at_its_next_start(fleet: Fleet, point: str) -> None:
    await die_and_return(fleet, f"{point}:kill")


@pytest.mark.parametrize("point", sorted(ON_LEAVING))
async def test_a_node_that_dies_as_it_leaves_loses_nothing(fleet: Fleet, point: str) -> None:
    victim = fleet.nodes[0]
    joined = restart_victim(fleet, f"{point}:kill")
    victim.wait_for_line("connected to hub", joined + 1)
    async with Client(fleet.hub.url) as client:
        victim.signal(signal.SIGTERM)
        crowd = await carry_on_through(fleet, client, mend=victim.start, is_broken=lambda: not victim.alive)
    crowd.check(node_deaths=2)


@pytest.mark.parametrize(
    "point",
    [
        "node.after_store",
        "node.before_send.result",
        "node.after_send.result",
        "node.after_receive.ack",
        "node.before_forget",
        "node.after_forget",
    ],
)
async def test_a_result_that_is_in_the_outbox_arrives_after_the_restart_and_nothing_runs_again(
    fleet: Fleet, point: str
) -> None:
    # A node of its own: an older result in its outbox would reach the failpoint first.
    victim = fleet.add_node(f"own-{point}", failpoint=f"{point}:kill")
    victim.arm(None)
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.echo.options(node=victim.node_id), "kept")
        await asyncio.to_thread(victim.wait_for_death)
        victim.start()
        assert await handle.result(PATIENCE_S) == "kept"
    victim.kill()
    fleet.nodes.remove(victim)
    assert fleet.truth.starts_of(handle.id) == 1


@pytest.mark.parametrize("point", ["node.before_start", "node.after_start", "node.after_end", "node.before_store"])
async def test_what_ran_on_a_dead_node_is_lost_where_it_may_not_run_again(fleet: Fleet, point: str) -> None:
    victim = fleet.nodes[0]
    restart_victim(fleet, f"{point}:kill")
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.echo.options(node=victim.node_id, on_lost="fail"), 1)
        await asyncio.to_thread(victim.wait_for_death)
        victim.start()
        with pytest.raises(TaskLost):
            await handle.result(PATIENCE_S)
    assert fleet.truth.starts_of(handle.id) <= 1


@pytest.mark.parametrize("point", sorted(ON_RESUMING))
async def test_a_node_that_dies_as_it_comes_back_starts_no_attempt_twice(fleet: Fleet, point: str) -> None:
    victim = fleet.nodes[0]
    forgotten = "unknown" in point
    # A connection that breaks is resumed; a node that was forgotten meets an unknown session.
    joined = restart_victim(fleet, f"{point}:kill" if forgotten else f"{point}:kill,node.before_send.heartbeat:error")
    async with Client(fleet.hub.url) as client:
        if forgotten:
            await asyncio.to_thread(victim.wait_for_line, "connected to hub", joined + 1)
            await client.disconnect(victim.node_id)
        crowd = await carry_on_through(fleet, client, mend=victim.start, is_broken=lambda: not victim.alive)
    crowd.check(node_deaths=2)


@pytest.mark.parametrize("point", sorted(name for name, can_fail in NAMES.items() if can_fail and "send" in name))
async def test_a_connection_that_breaks_there_costs_nothing(fleet: Fleet, point: str) -> None:
    victim = fleet.nodes[0]
    joined = restart_victim(
        fleet, f"{point}:error" if "resume" not in point else f"{point}:error,node.before_send.heartbeat:error"
    )
    if point in ON_LEAVING:
        await asyncio.to_thread(victim.wait_for_line, "connected to hub", joined + 1)
        victim.signal(signal.SIGTERM)
        assert victim.wait() == 0
        return
    # A registration that broke was none.
    joins = joined + (1 if "register" in point else 2)
    async with Client(fleet.hub.url) as client:
        crowd = await carry_on_through(
            fleet, client, mend=lambda: None, is_broken=lambda: victim.log.count("connected to hub") >= joins
        )
    crowd.check(node_deaths=1)
    assert victim.alive


@pytest.mark.parametrize("point", ["node.before_store", "node.before_forget"])
async def test_an_outbox_that_cannot_write_for_a_moment_costs_nothing(fleet: Fleet, point: str) -> None:
    victim = fleet.nodes[0]
    restart_victim(fleet, f"{point}:error")
    failures = victim.log.count("the outbox cannot write")
    async with Client(fleet.hub.url) as client:
        handles = [await client.submit(app.echo.options(node=victim.node_id), number) for number in range(5)]
        await asyncio.to_thread(victim.wait_for_line, "the outbox cannot write", failures + 1)
        assert [await handle.result(PATIENCE_S) for handle in handles] == list(range(5))
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in handles)


async def test_a_state_folder_that_cannot_be_written_is_said_at_the_start(fleet: Fleet) -> None:
    victim = fleet.nodes[0]
    restart(victim, "node.before_journal:error")
    assert await asyncio.to_thread(victim.wait) != 0
    assert "--state" in victim.log.splitlines()[-1]
