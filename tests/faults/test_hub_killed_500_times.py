"""The hub is killed five hundred times in a row under load; the nodes are the same processes all the while."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
from pathlib import Path

import pytest

from moorline import Client
from moorline.handles import TaskHandle
from tests.end_to_end import app
from tests.end_to_end.processes import Fleet, NodeProcess, fleet_in
from tests.faults.crowd import online

KILLS = 500

# How long a hub lives, drawn anew each time: some die while their nodes are still on their way.
LIFE_S = (0.02, 1.0)

# So much waits at most; and so long a task runs: some always span a kill.
OUTSTANDING_MAX = 300
NAP_S_MAX = 0.5

# Nodes are measured so often. What they hold may wander, but must not grow from kill to kill.
MEASURED_EVERY = 25
GROWTH_MAX = 1.10
FILES_MORE_MAX = 2


class Footprint:
    """What a process holds, over time."""

    def __init__(self, process: NodeProcess) -> None:
        self._folder = Path("/proc") / str(process.pid)
        self.memory_mib: list[float] = []
        self.files: list[int] = []

    def measure(self) -> None:
        pages = int((self._folder / "statm").read_text().split()[1])
        self.memory_mib.append(round(pages * 4096 / 2**20, 1))
        self.files.append(len(list((self._folder / "fd").iterdir())))

    def growth(self) -> float:
        """Give the last quarter's memory over that of the second, when everything has been used once."""
        quarter = max(1, len(self.memory_mib) // 4)
        return statistics.median(self.memory_mib[-quarter:]) / statistics.median(self.memory_mib[quarter : 2 * quarter])


async def keep_busy(client: Client, handles: list[TaskHandle[float]], luck: random.Random) -> None:
    """Submit for ever, with a bound on what waits."""
    waiting: set[asyncio.Task[float]] = set()
    while True:
        handle = await client.submit(app.nap, round(luck.uniform(0.0, NAP_S_MAX), 3))
        handles.append(handle)
        waiting.add(asyncio.create_task(handle.result()))
        if len(waiting) >= OUTSTANDING_MAX:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


async def kill_again_and_again(fleet: Fleet, footprints: list[Footprint], luck: random.Random) -> None:
    for kill in range(KILLS):
        await asyncio.sleep(luck.uniform(*LIFE_S))
        await asyncio.to_thread(fleet.hub.restart)
        if kill % MEASURED_EVERY == 0:
            for footprint in footprints:
                footprint.measure()


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_five_hundred_kills_lose_nothing_and_run_nothing_twice(tmp_path: Path) -> None:
    luck = random.Random(500)
    with fleet_in(tmp_path) as fleet:
        fleet.hub.start()
        nodes = [fleet.add_node(f"n{number}") for number in range(3)]
        async with Client(fleet.hub.url) as client:
            await online(client, "n0", "n1", "n2")
            footprints = [Footprint(node) for node in nodes]
            handles: list[TaskHandle[float]] = []
            busy = asyncio.create_task(keep_busy(client, handles, luck))
            killing = asyncio.create_task(kill_again_and_again(fleet, footprints, luck))
            done, _ = await asyncio.wait({busy, killing}, return_when=asyncio.FIRST_COMPLETED)
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)
            assert killing in done
            await killing
            await asyncio.gather(*(handle.result(120) for handle in handles))
            await online(client, "n0", "n1", "n2")
            totals = sum(node.totals["succeeded"] for node in await client.nodes())
        starts = fleet.truth.starts_by_task()
        report = {
            "kills": KILLS,
            "tasks": len(handles),
            "lost": sum(not starts[handle.id] for handle in handles),
            "ran_twice": sum(count > 1 for count in starts.values()),
            "memory_mib": [footprint.memory_mib for footprint in footprints],
            "open_files": [footprint.files for footprint in footprints],
        }
        print(json.dumps(report), file=sys.stderr)
        assert report["lost"] == report["ran_twice"] == 0
        assert totals >= len(handles)
        assert all(node.alive for node in nodes)
        for footprint in footprints:
            assert footprint.growth() < GROWTH_MAX
            half = len(footprint.files) // 2
            assert max(footprint.files[half:]) <= max(footprint.files[:half]) + FILES_MORE_MAX
