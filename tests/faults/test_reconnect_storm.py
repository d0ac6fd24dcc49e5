"""Thousands of nodes lose their hub at once, and come back at the rate that it admits."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hub.decisions.admission import SAVED_S_MAX
from moorline import Client
from moorline.handles import TaskHandle
from node.clock import steady_s
from tests.end_to_end.processes import HubProcess, Process, Truth
from tests.faults.killed_while_idle import reached
from tests.faults.light_nodes import HANDLER

RATE_PER_S = 300

# Connecting costs both sides a few milliseconds, and others use the machine too.
ALL_ONLINE_WITHIN_S = 120.0

# Long tasks under way while the storm passes.
TASKS = 5

# Measured: 22 KiB for a connection and its session, with 1,000 nodes as with 5,000. Twice of it would be news.
HUB_KIB_PER_NODE_MAX = 44.0


class Storm:
    """A hub, and light nodes in a few processes."""

    def __init__(self, folder: Path, nodes: int, processes: int) -> None:
        self.nodes = nodes
        self.gate = folder / "gate"
        self.truth = Truth(folder / "truth.ndjson")
        self.hub = HubProcess(folder / "hub", "--admissions-per-s", str(RATE_PER_S))
        self._log = folder / "dials.ndjson"
        self._crowds = [
            Process(
                [
                    *("-m", "tests.faults.light_nodes", self.hub.node_url, f"c{number}-", str(nodes // processes)),
                    *(str(self._log), str(self.gate)),
                ],
                {"MOORLINE_TRUTH_FILE": str(folder / "truth.ndjson")},
            )
            for number in range(processes)
        ]

    def start(self) -> None:
        self.hub.start()
        for crowd in self._crowds:
            crowd.start()

    def end(self) -> None:
        for process in [*self._crowds, self.hub]:
            process.kill()

    def hub_kib(self) -> float:
        """Give the memory that the hub has now."""
        return float(psutil.Process(self.hub.pid).memory_info().rss) / 1024

    def dials(self, since_s: float) -> list[dict[str, Any]]:
        """Give the dials since a time of the clock that all processes share."""
        dials = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [dial for dial in dials if dial["at_s"] >= since_s]

    async def all_online(self, client: Client) -> None:
        async def facts() -> bool:
            return (await client.stats()).nodes.get("online") == self.nodes

        await reached(facts, ALL_ONLINE_WITHIN_S, f"{self.nodes} nodes online")


@contextlib.contextmanager
def storm_in(folder: Path, nodes: int, processes: int) -> Iterator[Storm]:
    storm = Storm(folder, nodes, processes)
    try:
        yield storm
    finally:
        storm.end()


async def sitting(storm: Storm, client: Client) -> list[TaskHandle[Any]]:
    """Have a few long tasks run."""
    handles = await client.submit_many(HANDLER, [{} for _ in range(TASKS)])

    async def facts() -> bool:
        begun = {task_id for task_id, _ in storm.truth.starts()}
        return all(handle.id in begun for handle in handles)

    await reached(facts, ALL_ONLINE_WITHIN_S, "long tasks under way")
    return handles


def check_admissions(storm: Storm, started_s: float) -> int:
    """Count outside the hub: by each moment no more were admitted than the rate allows, and each node but once. Gives
    the most that were seen in one second.
    """
    admitted = [dial for dial in storm.dials(started_s) if dial["what"] == "admitted"]
    # A node sees its admission a little after the hub has counted it, never before: only the sum has a sharp bound.
    for place, dial in enumerate(sorted(admitted, key=lambda dial: float(dial["at_s"])), start=1):
        assert place <= RATE_PER_S * (dial["at_s"] - started_s + SAVED_S_MAX)
    assert Counter(dial["node"] for dial in admitted).most_common(1)[0][1] == 1
    assert len(admitted) == storm.nodes
    return max(Counter(int(dial["at_s"] - started_s) for dial in admitted).values())


async def weather(storm: Storm, down_s: float) -> None:
    storm.start()
    empty_kib = storm.hub_kib()
    async with Client(storm.hub.url) as client:
        await storm.all_online(client)
        handles = await sitting(storm, client)
        before = {handle.id: await client.get(handle.id) for handle in handles}
        storm.hub.kill()
        # The fault itself is that nobody is there for this long.
        await asyncio.sleep(down_s)
        started_s = steady_s()
        await asyncio.to_thread(storm.hub.start)
        ready_s = steady_s()
        await storm.all_online(client)
        back_s = steady_s() - ready_s
        per_node_kib = (storm.hub_kib() - empty_kib) / storm.nodes
        after = {handle.id: await client.get(handle.id) for handle in handles}
        storm.gate.touch()
        for handle in handles:
            await handle.result(ALL_ONLINE_WITHIN_S)
    whats = Counter(dial["what"] for dial in storm.dials(started_s - down_s))
    most = check_admissions(storm, started_s)
    print(f"{storm.nodes} nodes back after {back_s:.1f} s, {per_node_kib:.0f} KiB of the hub for each")
    print(f"dials: {dict(whats)}; at most {most} admitted in one second")
    for task_id, view in before.items():
        assert (after[task_id].state, after[task_id].node, after[task_id].attempt) == ("running", view.node, 1)
    assert storm.truth.starts() == {(handle.id, 1): 1 for handle in handles}
    assert per_node_kib <= HUB_KIB_PER_NODE_MAX


async def test_a_thousand_nodes_come_back_at_the_rate_and_no_task_moves(tmp_path: Path) -> None:
    with storm_in(tmp_path, nodes=1000, processes=2) as storm:
        await weather(storm, down_s=2)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_five_thousand_nodes_come_back_at_the_rate_and_no_task_moves(tmp_path: Path) -> None:
    with storm_in(tmp_path, nodes=5000, processes=5) as storm:
        await weather(storm, down_s=10)
