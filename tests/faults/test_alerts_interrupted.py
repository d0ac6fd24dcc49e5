"""A hub that dies around each commit about an alert, or can make none: people are told that it fires and that it is
over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.end_to_end.processes import Fleet, fleet_in
from tests.end_to_end.test_alerts import give_rules, online
from tests.faults.armed import restart
from tests.faults.test_hub_killed_at_each_write_ahead_point import TELLING
from tests.faults.test_hubs_disk_full import fill_disk, free_disk
from tests.faults.waiting import until, until_told
from tests.hub.alerts.receiver import Receiver


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_in(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


def story(receiver: Receiver) -> list[str]:
    return [alert["state"] for alert in receiver.alerts]


@pytest.mark.parametrize("nth", [1, 2], ids=["as it fires", "as it is over"])
@pytest.mark.parametrize("point", sorted(TELLING))
async def test_a_hub_that_dies_there_tells_of_both_once(fleet: Fleet, point: str, nth: int) -> None:
    async with Receiver("s3cret") as receiver:
        give_rules(fleet, receiver)
        restart(fleet.hub, f"{point}:kill:{nth}")
        node = fleet.add_node("n1")
        await until_told(lambda: online(fleet, "n1"), "the node is online")
        node.kill()
        if nth == 2:
            await until(lambda: story(receiver) == ["firing"], "the receiver is told")
            node.start()
        await asyncio.to_thread(fleet.hub.wait_for_death)
        await asyncio.to_thread(fleet.hub.start)
        if nth == 1:
            await until(lambda: story(receiver) == ["firing"], "the receiver is told")
            node.start()
        await until(lambda: story(receiver) == ["firing", "resolved"], "the receiver is told that it is over")
        if not point.startswith("hub.before_commit.forget"):
            assert len(receiver.taken) == 2, "only what was taken and not yet noted comes again"


async def test_a_full_disk_is_told_while_nothing_can_be_stored(fleet: Fleet) -> None:
    async with Receiver("s3cret") as receiver:
        give_rules(fleet, receiver, "[rule.hub_degraded]\n")
        fleet.hub.start()
        node = fleet.add_node("n1")
        await until_told(lambda: online(fleet, "n1"), "the node is online")
        fill_disk(fleet.hub)
        # That it is gone cannot be committed: so the hub learns that its disk is full.
        node.kill()
        await until(lambda: story(receiver) == ["firing"], "the receiver is told")
        assert receiver.alerts[0]["rule"] == "hub_degraded"
        free_disk(fleet.hub)
        await until(lambda: receiver.stories("hub_degraded", "") == ["firing", "resolved"], "it is over")
        await until(lambda: receiver.stories("node_unreachable", "n1") == ["firing"], "what was late is told too")
        fleet.hub.restart()
        node.start()
        await until(lambda: receiver.stories("node_unreachable", "n1") == ["firing", "resolved"], "the return")
        assert receiver.stories("hub_degraded", "") == ["firing", "resolved"]
