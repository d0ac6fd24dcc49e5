"""The hub's disk is full: it says so, keeps every session, loses nothing it has answered for, and goes on by itself.

The disk is filled for the hub alone, by a limit on the size of its files that the system enforces.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator

import aiohttp
import pytest

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, Process, fleet_in, until
from tests.faults.crowd import online

# Less than the first page of a write-ahead log: every commit fails.
FULL_BYTES = 1024


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_in(tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.hub.start()
        yield fleet


def fill_disk(process: Process) -> None:
    """Let no file of this process grow beyond a first few bytes."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, hard))


def free_disk(process: Process) -> None:
    """Take the limit back."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def test_a_full_disk_is_said_and_nothing_is_lost_and_it_goes_on_by_itself(fleet: Fleet) -> None:
    fleet.add_node("n0")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        await online(client, "n0")
        held = [await client.submit(app.hold, str(gate)) for _ in range(3)]
        await asyncio.to_thread(until, lambda: all(fleet.truth.starts_of(task.id) for task in held), "three starts")
        fill_disk(fleet.hub)
        # Its results cannot be committed, so they are not acked; what is submitted meanwhile is not answered.
        gate.write_text("seen")
        submitting = asyncio.create_task(client.submit(app.echo, "patient"))
        await asyncio.to_thread(fleet.hub.wait_for_line, "degraded")
        await _readiness(fleet, 503, "takes no commits")
        assert await _status(fleet, "/livez") == 200
        # What is known is still told, and the session is kept.
        [node] = await client.nodes()
        assert node.state == "online"
        assert not submitting.done()
        free_disk(fleet.hub)
        await asyncio.to_thread(fleet.hub.wait_for_line, "recovered")
        assert [await task.result(PATIENCE_S) for task in held] == ["seen"] * 3
        assert await (await submitting).result(PATIENCE_S) == "patient"
        await _readiness(fleet, 200, "")
        [node] = await client.nodes()
        assert node.disconnects == 0
    assert fleet.truth.twice() == []
    assert all(fleet.truth.starts_of(task.id) == 1 for task in held)


async def test_a_hub_that_is_killed_on_a_full_disk_has_all_that_it_answered_for(fleet: Fleet) -> None:
    async with Client(fleet.hub.url) as client:
        accepted = await client.submit_many(app.echo, range(200))
        fill_disk(fleet.hub)
        submitting = asyncio.create_task(client.submit(app.echo, "patient"))
        await asyncio.to_thread(fleet.hub.wait_for_line, "degraded")
        await asyncio.to_thread(fleet.hub.restart)
        fleet.add_node("n0")
        assert [await task.result(PATIENCE_S) for task in accepted] == list(range(200))
        assert await (await submitting).result(PATIENCE_S) == "patient"
    assert fleet.truth.twice() == []


async def test_a_node_that_registers_meanwhile_is_told_to_come_back(fleet: Fleet) -> None:
    fill_disk(fleet.hub)
    async with Client(fleet.hub.url) as client:
        submitting = asyncio.create_task(client.submit(app.echo, 1))
        await asyncio.to_thread(fleet.hub.wait_for_line, "degraded")
        node = fleet.add_node("n0")
        await asyncio.to_thread(node.wait_for_line, "the store takes no commits")
        free_disk(fleet.hub)
        assert await (await submitting).result(PATIENCE_S) == 1
        assert node.alive


async def _status(fleet: Fleet, path: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(fleet.hub.url + path) as answer:
        return answer.status


async def _readiness(fleet: Fleet, status: int, words: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(fleet.hub.url + "/readyz") as answer:
        assert answer.status == status
        assert words in await answer.text()
