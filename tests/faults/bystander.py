"""A good node beside the trouble: it keeps working, and must notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, HubProcess

NODE_ID = "good"

# Between two of its tasks: enough to be at work at any moment, and little of a machine that others use too.
PAUSE_S = 0.02

# A hub gives up who is silent for three of these. A machine that runs many tests may keep a process from its turn for
# seconds, and that is nobody's doing here.
HEARTBEAT_S = 2


def make_patient(fleet: Fleet) -> None:
    """Give the fleet a hub, not started yet, that leaves a good node more time."""
    fleet.hub = HubProcess(fleet.folder / "hub", "--heartbeat-s", str(HEARTBEAT_S))


def start_with_good_node(fleet: Fleet) -> None:
    """Start such a hub and its good node; returns when that is connected."""
    make_patient(fleet)
    fleet.hub.start()
    fleet.add_node(NODE_ID).wait_for_line("connected to hub")


class Bystander:
    """What it saw. ``longest_s`` is the longest time from a submit to its result."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tasks = 0
        self.longest_s = 0.0

    async def work(self) -> None:
        """Have one task run."""
        began_s = time.monotonic()
        handle = await self.client.submit(app.echo, self.tasks)
        assert await handle.result(PATIENCE_S) == self.tasks
        self.tasks += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began_s)

    async def work_on(self) -> None:
        """Have one task run after the other, for ever."""
        while True:
            await self.work()
            await asyncio.sleep(PAUSE_S)

    async def check_connected(self, connects: int) -> None:
        """Hold the node's connects against what they were, and say why it lost a connection if it did."""
        node = await self.client.node(NODE_ID)
        assert node.connects == connects, node.last_disconnect


@contextlib.asynccontextmanager
async def undisturbed(fleet: Fleet) -> AsyncIterator[Bystander]:
    """Keep the fleet's good node at work meanwhile, and prove in the end that it noticed nothing."""
    log_before = len(fleet.hub.log)
    async with Client(fleet.hub.url) as client:
        bystander = Bystander(client)
        await bystander.work()
        connects = (await client.node(NODE_ID)).connects
        working = asyncio.create_task(bystander.work_on())
        try:
            yield bystander
            assert not working.done(), working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        await bystander.work()
        await bystander.check_connected(connects)
    assert fleet.hub.alive
    assert "Traceback" not in fleet.hub.log[log_before:], fleet.hub.log[log_before:]
