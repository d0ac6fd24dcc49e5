"""What is broken: a hub and nodes as processes, and a link for each node that can be cut."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Final

from dashboards.chaos.processes import Size, resume, size_of
from dashboards.chaos.settings import ChaosSettings
from dashboards.installation.fleet import Fleet
from moorline.testing import FaultProxy

# A hub that is killed every ten seconds beside twenty busy nodes on two processors; it takes half a second on its own.
READY_WITHIN_S: Final = 90.0
HEARTBEAT_S: Final = 1.0
# How many nodes start at once: more would only make each of them slower.
STARTS_AT_ONCE: Final = 4
START_PAUSE_S: Final = 0.3

APP: Final = Path(__file__).parent / "pack" / "chaos_tasks.py"


class LinkedFleet(Fleet):
    """A fleet in which each node has a link of its own to the hub."""

    def __init__(self, folder: Path, settings: ChaosSettings) -> None:
        super().__init__(folder, hub_arguments=("--heartbeat-s", f"{HEARTBEAT_S:g}"), ready_within_s=READY_WITHIN_S)
        self._settings = settings
        self.links = {
            node_id: FaultProxy("127.0.0.1", self.node_port, seed=settings.seed) for node_id in settings.node_ids
        }

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in (self.hub, *self.nodes.values()):
            if process.is_running and process.pid is not None:
                # What stands still hears no SIGTERM.
                resume(process.pid)
        try:
            await super().__aexit__(kind, error, traceback)
        finally:
            await asyncio.gather(*(link.stop() for link in self.links.values()))

    async def start_nodes(self) -> None:
        """Start the links and the nodes, a few at a time."""
        for number, node_id in enumerate(self._settings.node_ids):
            if number and number % STARTS_AT_ONCE == 0:
                await asyncio.sleep(START_PAUSE_S * STARTS_AT_ONCE)
            link = self.links[node_id]
            await link.start()
            hub_url = link.url("ws") if self._settings.cut_links else None
            await self.add_node(node_id, app=str(APP), slots=self._settings.slots, hub_url=hub_url).start()

    def sizes(self) -> dict[str, Size]:
        """Give how large the hub and each node are now, those that run."""
        found = {}
        for process in (self.hub, *self.nodes.values()):
            size = size_of(process.pid) if process.is_running and process.pid is not None else None
            if size is not None:
                found[process.name] = size
        return found
