from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from dashboards.chaos.campaign import Campaign
from dashboards.chaos.director import Director, words_of
from dashboards.chaos.ledger import Ledger
from dashboards.chaos.linked_fleet import LinkedFleet
from dashboards.chaos.plan import PlannedFault
from dashboards.chaos.screen import NoScreen
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stage import Stage, running
from dashboards.installation.processes import ManagedProcess

WITHIN_S = 20.0


def process(folder: Path, name: str, code: str) -> ManagedProcess:
    return ManagedProcess(
        name,
        [sys.executable, "-c", code],
        folder=folder,
        log_path=folder / f"{name}.log",
        environment={"PATH": os.environ["PATH"]},
    )


async def test_a_process_that_ends_by_itself_is_a_problem(tmp_path: Path) -> None:
    campaign = Campaign(ChaosSettings(nodes=1), tmp_path, NoScreen())
    fleet = campaign._fleet
    fleet.hub = process(tmp_path, "hub", "import time; time.sleep(60)")
    fleet.nodes["node-1"] = process(tmp_path, "node-1", "print('the disk is full')")
    try:
        for started in (fleet.hub, fleet.nodes["node-1"]):
            await started.start()
        async with running(campaign._watch()), asyncio.timeout(WITHIN_S):
            while not campaign._stage.problems:
                await asyncio.sleep(0.02)
        assert campaign._stage.problems == ["node-1 ended by itself; its last words: the disk is full"]
    finally:
        await fleet.hub.kill()


async def test_a_process_that_was_killed_is_none(tmp_path: Path) -> None:
    campaign = Campaign(ChaosSettings(nodes=1), tmp_path, NoScreen())
    node = process(tmp_path, "node-1", "import time; time.sleep(60)")
    campaign._fleet.hub = process(tmp_path, "hub", "import time; time.sleep(60)")
    campaign._fleet.nodes["node-1"] = node
    await campaign._fleet.hub.start()
    await node.start()
    campaign._stage.ledger.begin("node_killed", ["node-1"])
    campaign._stage.ledger.begin("hub_killed", ["node-1"])
    await node.kill()
    await campaign._fleet.hub.kill()
    watch = asyncio.create_task(campaign._watch())
    await asyncio.sleep(0)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert campaign._stage.problems == []


async def test_what_was_broken_when_it_was_interrupted_is_mended(tmp_path: Path) -> None:
    settings = ChaosSettings(nodes=2)
    fleet = LinkedFleet(tmp_path, settings)
    ledger = Ledger()
    director = Director(fleet, ledger)
    fleet.hub = process(tmp_path, "hub", "import time; print('hub ready', flush=True); time.sleep(60)")
    await fleet.start_hub()
    for node_id in settings.node_ids:
        await fleet.links[node_id].start()
        fleet.nodes[node_id] = process(tmp_path, node_id, "import time; time.sleep(60)")
        await fleet.nodes[node_id].start()
    faults = [
        PlannedFault(at_s=0.0, for_s=600.0, kind="hub_killed", victim="hub"),
        PlannedFault(at_s=0.0, for_s=600.0, kind="node_killed", victim="node-1"),
        PlannedFault(at_s=0.0, for_s=600.0, kind="node_paused", victim="node-2"),
        PlannedFault(at_s=0.0, for_s=600.0, kind="link_black_hole", victim="node-2"),
    ]
    try:
        breaking = asyncio.create_task(director.run(faults, until_s=60))
        async with asyncio.timeout(WITHIN_S):
            while fleet.hub.is_running or fleet.nodes["node-1"].is_running or not ledger.outages:
                await asyncio.sleep(0.02)
        assert ledger.is_broken("node_paused", "node-2")
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        await director.mend()
        assert fleet.hub.is_running
        assert all(node.is_running for node in fleet.nodes.values())
        assert not fleet.links["node-2"].faults("up").is_black_hole
        assert all(outage.mended_at is not None for outage in ledger.outages)
    finally:
        await asyncio.gather(*(each.kill() for each in (fleet.hub, *fleet.nodes.values())))
        await asyncio.gather(*(link.stop() for link in fleet.links.values()))


async def test_an_error_of_what_goes_on_beside_is_raised_at_the_exit() -> None:
    async def fail() -> None:
        raise RuntimeError("no luck")

    async def enter_and_leave() -> None:
        async with running(fail()):
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="no luck"):
        await enter_and_leave()


async def test_an_interrupt_ends_what_is_under_way() -> None:
    stage = Stage(ChaosSettings(), NoScreen(), None)
    asyncio.get_running_loop().call_soon(stage.interrupt)
    async with asyncio.timeout(WITHIN_S):
        await stage.until_interrupted(asyncio.sleep(600))
    assert stage.is_interrupted


def test_a_fault_is_said_in_words() -> None:
    fault = PlannedFault(at_s=1.0, for_s=2.5, kind="link_narrow", victim="node-1", amount=1000.0)
    assert words_of(fault) == "node-1: link down to 1000 bytes/s for 2.5 s"
