"""Hub and node die at places of chance, at the same time or shortly after each other."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from hub import failpoints as hub_failpoints
from moorline import Client
from node import failpoints as node_failpoints
from tests.end_to_end.processes import Process, fleet_in
from tests.faults.crowd import Crowd, online

ROUNDS = 12


async def restart_the_dead(processes: list[Process]) -> None:
    """Start again whatever dies, as an operator's supervisor does."""
    while True:
        for process in processes:
            if not process.alive:
                process.arm(None)
                await asyncio.to_thread(process.start)
        await asyncio.sleep(0.05)


async def die_together(folder: Path, seed: int) -> None:
    luck = random.Random(seed)
    with fleet_in(folder) as fleet:
        fleet.hub.start()
        victims = [fleet.add_node(f"n{number}") for number in range(2)]
        async with Client(fleet.hub.url) as client:
            await online(client, "n0", "n1")
            fleet.hub.kill()
            victims[0].kill()
            fleet.hub.arm(f"{luck.choice(sorted(hub_failpoints.NAMES))}:kill:{luck.randint(1, 3)}")
            victims[0].arm(f"{luck.choice(sorted(node_failpoints.NAMES))}:kill:{luck.randint(1, 3)}")
            fleet.hub.begin()
            victims[0].start()
            supervisor = asyncio.create_task(restart_the_dead([fleet.hub, *victims]))
            try:
                crowd = Crowd(client, fleet)
                rounds = iter(range(ROUNDS))
                await crowd.keep_up(lambda: next(rounds, None) is None)
                await crowd.settle()
            finally:
                supervisor.cancel()
                await asyncio.gather(supervisor, return_exceptions=True)
        crowd.check(node_deaths=2)


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_lost_and_nothing_runs_twice(tmp_path: Path, seed: int) -> None:
    await die_together(tmp_path, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 160))
async def test_nothing_is_lost_with_many_more_seeds(tmp_path: Path, seed: int) -> None:
    await die_together(tmp_path, seed)
