"""A fleet with long tasks under way, whose hub is killed and comes back after a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from moorline import Client
from moorline.handles import TaskHandle
from moorline.views import NodeView
from tests.end_to_end import app
from tests.end_to_end.processes import Fleet

# Nodes are asked for over the API so often: the finest that a measured time can be.
LOOK_EVERY_S = 0.05

# What the hub names a fleet of fewer than 150 nodes, and what is promised beyond it.
BACK_WITHIN_S = 0.5 + 5.0

# Fifty interpreters start on two cores, one after the other.
START_WITHIN_S = 240.0


class IdleFleet:
    """A hub, nodes, and one long task on each of them; ``finished`` ran before."""

    def __init__(self, fleet: Fleet, client: Client, size: int) -> None:
        self._fleet = fleet
        self._client = client
        self._size = size
        self._gate = fleet.folder / "gate"
        self.held: list[TaskHandle[Any]] = []
        self.finished: list[TaskHandle[Any]] = []

    async def start(self) -> None:
        """Start everything, have some tasks run to their end, and the long ones begin."""
        self._fleet.hub.start()
        for number in range(self._size):
            self._fleet.add_node(f"n{number:03}", slots=2)
        await self.all_online(START_WITHIN_S)
        self.finished = [await self._client.submit(app.noop, number) for number in range(2 * self._size)]
        for handle in self.finished:
            await handle.result(START_WITHIN_S)
        for node in self._fleet.nodes:
            task = app.hold.options(node=node.node_id)
            self.held.append(await self._client.submit(task, str(self._gate)))
        await reached(self._all_run, START_WITHIN_S, "a long task on each node")

    async def _all_run(self) -> bool:
        begun = {task_id for task_id, _ in self._fleet.truth.starts()}
        return all(handle.id in begun for handle in self.held)

    async def all_online(self, within_s: float) -> None:
        """Wait until the hub has a session with every node."""

        async def facts() -> bool:
            return sum(node.state == "online" for node in await self._client.nodes()) == self._size

        await reached(facts, within_s, f"{self._size} nodes online")

    async def kill_and_return(self, down_s: float) -> float:
        """Kill the hub and start it ``down_s`` later; give the seconds from its being ready until all are back."""
        hub = self._fleet.hub
        hub.kill()
        # The fault itself is that nobody is there for this long.
        await asyncio.sleep(down_s)
        await asyncio.to_thread(hub.start)
        ready_s = time.monotonic()
        await self.all_online(4 * BACK_WITHIN_S)
        return time.monotonic() - ready_s

    async def views(self) -> dict[str, NodeView]:
        """Give what the hub knows of each node."""
        return {node.id: node for node in await self._client.nodes()}

    async def finish(self) -> None:
        """Let the long tasks end, and hold everything against the ground truth."""
        assert (await self._client.stats()).tasks["running"] == self._size
        self._gate.write_text("seen")
        assert [await handle.result(START_WITHIN_S) for handle in self.held] == ["seen"] * self._size
        starts = self._fleet.truth.starts()
        assert starts == {(handle.id, 1): 1 for handle in [*self.finished, *self.held]}
        assert all(node.alive for node in self._fleet.nodes)
        totals = [node.totals["succeeded"] for node in (await self.views()).values()]
        assert sum(totals) == len(self.finished) + len(self.held)


async def reached(fact: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    """Wait for a fact that is asked for over the API."""
    try:
        async with asyncio.timeout(within_s):
            while not await fact():
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s:.0f} s: {what}") from None


def changed_records(before: dict[str, NodeView], after: dict[str, NodeView]) -> Sequence[str]:
    """Give the nodes whose record shrank or changed though nothing ended meanwhile."""
    return [
        node_id
        for node_id, node in before.items()
        if after[node_id].totals != node.totals
        or after[node_id].first_seen_at != node.first_seen_at
        or after[node_id].connects <= node.connects
    ]
