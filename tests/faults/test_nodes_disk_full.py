"""A node's disk is full: it takes no new task, and what it has finished is kept and delivered.

The disk is filled for the node alone, by a limit on the size of its files that the system enforces.
"""

from __future__ import annotations

import asyncio

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.conftest import fleet as fleet  # noqa: PLC0414  # a fixture that is used by its name
from tests.end_to_end.processes import PATIENCE_S, Fleet, until
from tests.faults.crowd import online
from tests.faults.test_hubs_disk_full import fill_disk, free_disk


async def test_finished_results_are_delivered_and_no_new_task_starts_until_there_is_room(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n0")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        await online(client, "n0")
        held = [await client.submit(app.hold, str(gate)) for _ in range(2)]
        await asyncio.to_thread(until, lambda: all(fleet.truth.starts_of(task.id) for task in held), "two starts")
        fill_disk(node)
        gate.write_text("seen")
        assert [await task.result(PATIENCE_S) for task in held] == ["seen"] * 2
        await asyncio.to_thread(node.wait_for_line, "the outbox cannot write")
        late = await client.submit(app.echo, "late")
        # The hub gives it to the only node there is; that one says in its heartbeats that it lives, and waits.
        [view] = await client.nodes()
        assert view.state == "online"
        assert fleet.truth.starts_of(late.id) == 0
        free_disk(node)
        assert await late.result(PATIENCE_S) == "late"
        await asyncio.to_thread(node.wait_for_line, "the outbox writes again")
    assert fleet.truth.twice() == []
    assert all(fleet.truth.starts_of(task.id) == 1 for task in [*held, late])
