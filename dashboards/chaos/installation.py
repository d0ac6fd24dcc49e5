"""The installation that is broken: a hub and nodes as processes, and a link for each node that can be cut."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dashboards.chaos.processes import Size, resume, size_of
from dashboards.chaos.settings import ChaosSettings
from dashboards.demo.fleet import environment
from dashboards.demo.processes import ManagedProcess, free_ports
from moorline.testing import FaultProxy

# A hub that is killed every ten seconds beside twenty busy nodes on two processors; it takes half a second on its own.
READY_WITHIN_S: Final = 90.0
READY_WORDS: Final = "hub ready"
HEARTBEAT_S: Final = 1.0
# How many nodes start at once: more would only make each of them slower.
STARTS_AT_ONCE: Final = 4
START_PAUSE_S: Final = 0.3
# When all work is done they end at once; what is left after Ctrl-C is not waited for.
STOP_WITHIN_S: Final = 5.0

APP: Final = Path(__file__).parent / "pack" / "chaos_tasks.py"


class Installation:
    """One hub, its nodes and their links in one folder, up between enter and exit. Nothing of it outlives the exit."""

    def __init__(self, folder: Path, settings: ChaosSettings) -> None:
        self.folder = folder
        self.truth_path = folder / "truth.ndjson"
        self._settings = settings
        self._node_port, http_port = free_ports(2)
        self.url = f"http://127.0.0.1:{http_port}"
        self.hub = self._make_process(
            *("hub", "hub", "--node-port", str(self._node_port), "--http-port", str(http_port)),
            *("--state", str(folder / "hub"), "--heartbeat-s", f"{HEARTBEAT_S:g}"),
        )
        self.nodes: dict[str, ManagedProcess] = {}
        self.links = {
            node_id: FaultProxy("127.0.0.1", self._node_port, seed=settings.seed) for node_id in settings.node_ids
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        processes = [*self.nodes.values(), self.hub]
        try:
            for process in processes:
                if process.is_running and process.pid is not None:
                    # What stands still hears no SIGTERM.
                    resume(process.pid)
            if error is None:
                await asyncio.gather(*(node.stop(STOP_WITHIN_S) for node in self.nodes.values()))
                await self.hub.stop(STOP_WITHIN_S)
        finally:
            for process in processes:
                process.kill_now()
            await asyncio.gather(*(process.kill() for process in processes))
            await asyncio.gather(*(link.stop() for link in self.links.values()))

    async def start_hub(self) -> None:
        """Start the hub; returns when it says that it is ready.

        Raises:
            ProcessDiedError: it ended.
            ProcessTooSlowError: it did not become ready.
        """
        await self.hub.start()
        await self.hub.wait_for_words(READY_WORDS, READY_WITHIN_S)

    async def start_nodes(self) -> None:
        """Start the links and the nodes, a few at a time."""
        for number, node_id in enumerate(self._settings.node_ids):
            if number and number % STARTS_AT_ONCE == 0:
                await asyncio.sleep(START_PAUSE_S * STARTS_AT_ONCE)
            link = self.links[node_id]
            await link.start()
            self.nodes[node_id] = self._make_process(
                *(node_id, "node", "--hub", self._hub_url_of(link), "--node-id", node_id),
                *("--slots", str(self._settings.slots), "--app", str(APP), "--state", str(self.folder / node_id)),
            )
            await self.nodes[node_id].start()

    def sizes(self) -> dict[str, Size]:
        """Give how large the hub and each node are now, those that run."""
        found = {}
        for process in (self.hub, *self.nodes.values()):
            size = size_of(process.pid) if process.is_running and process.pid is not None else None
            if size is not None:
                found[process.name] = size
        return found

    def _hub_url_of(self, link: FaultProxy) -> str:
        return link.url("ws") if self._settings.cut_links else f"ws://127.0.0.1:{self._node_port}"

    def _make_process(self, name: str, *arguments: str) -> ManagedProcess:
        return ManagedProcess(
            name,
            [sys.executable, "-m", "moorline.cli", *arguments],
            folder=self.folder,
            log_path=self.folder / f"{name}.log",
            environment=environment(self.truth_path),
        )
