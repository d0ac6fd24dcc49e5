"""A person is told once that a node is away, and once that it is back; whoever is killed in between."""

from __future__ import annotations

import time
from collections.abc import Callable

import aiohttp

from tests.end_to_end.processes import Fleet, free_port
from tests.faults.waiting import until, until_told
from tests.hub.alerts.receiver import Receiver

THRESHOLD_S = 2.0

# What may pass from the moment in which it is due until a receiver has it.
WITHIN_S = 5.0

RULES = """
[alerts]
every_s = 0.5
use_defaults = false

[rule.node_unreachable]
for_s = {threshold}

[channel.hook]
kind = "webhook"
url = "{url}"
secret = "s3cret"
"""


def give_rules(fleet: Fleet, receiver: Receiver, more: str = "") -> None:
    path = fleet.folder / "alerts.toml"
    path.write_text(RULES.format(threshold=THRESHOLD_S, url=receiver.url) + more)
    fleet.hub.add_arguments("--alerts", str(path))


async def online(fleet: Fleet, node_id: str) -> bool:
    async with aiohttp.ClientSession() as http, http.get(f"{fleet.hub.url}/v1/nodes") as answer:
        nodes = {node["id"]: node["state"] for node in (await answer.json())["nodes"]}
    return nodes.get(node_id) == "online"


async def begin(fleet: Fleet, receiver: Receiver) -> None:
    give_rules(fleet, receiver)
    fleet.hub.start()
    for node_id in ("n1", "n2"):
        fleet.add_node(node_id)
    for node_id in ("n1", "n2"):
        await until_told(lambda node_id=node_id: online(fleet, node_id), f"{node_id} is online")


def story(receiver: Receiver) -> list[str]:
    return receiver.stories("node_unreachable", "n1")


def told(receiver: Receiver, *states: str) -> Callable[[], bool]:
    return lambda: story(receiver) == list(states)


async def test_a_killed_node_is_told_within_its_threshold_once_and_so_is_its_return(fleet: Fleet) -> None:
    async with Receiver("s3cret") as receiver:
        await begin(fleet, receiver)
        fleet.node("n1").kill()
        killed_s = time.monotonic()
        await until(told(receiver, "firing"), "the receiver is told", THRESHOLD_S + WITHIN_S)
        assert time.monotonic() - killed_s >= THRESHOLD_S
        assert receiver.alerts[0]["message"].startswith("node n1 is unreachable")
        fleet.node("n1").start()
        await until_told(lambda: online(fleet, "n1"), "n1 is back")
        await until(told(receiver, "firing", "resolved"), "the receiver is told of the return", WITHIN_S)
        # All that comes after it on the same channel comes later: nothing of n1 is among it.
        fleet.node("n2").kill()
        await until(lambda: receiver.stories("node_unreachable", "n2") == ["firing"], "the next alert")
        assert story(receiver) == ["firing", "resolved"]
        assert len(receiver.taken) == 3, "no message came twice"


async def test_a_hub_that_is_killed_before_the_threshold_tells_in_time_and_once(fleet: Fleet) -> None:
    async with Receiver("s3cret") as receiver:
        await begin(fleet, receiver)
        fleet.node("n1").kill()
        killed_s = time.monotonic()

        async def is_seen() -> bool:
            return not await online(fleet, "n1")

        await until_told(is_seen, "the hub has seen it")
        fleet.hub.restart()
        left_s = killed_s + THRESHOLD_S + WITHIN_S - time.monotonic()
        await until(told(receiver, "firing"), "the receiver is told", left_s)
        fleet.hub.restart()
        fleet.node("n1").start()
        await until_told(lambda: online(fleet, "n1"), "n1 is back")
        await until(told(receiver, "firing", "resolved"), "the receiver is told of the return", WITHIN_S)


async def test_a_node_that_returns_while_the_hub_is_down_is_told_once_the_hub_is_back(fleet: Fleet) -> None:
    async with Receiver("s3cret") as receiver:
        await begin(fleet, receiver)
        fleet.node("n1").kill()
        await until(told(receiver, "firing"), "the receiver is told", THRESHOLD_S + WITHIN_S)
        fleet.hub.kill()
        fleet.node("n1").start()
        fleet.hub.start()
        await until_told(lambda: online(fleet, "n1"), "n1 is back")
        await until(told(receiver, "firing", "resolved"), "the receiver is told of the return", WITHIN_S)
        assert receiver.stories("node_unreachable", "n2") == []


async def test_what_a_receiver_could_not_take_is_delivered_once_after_it_and_the_hub_were_away(fleet: Fleet) -> None:
    receiver = Receiver("s3cret", free_port())
    await begin(fleet, receiver)
    fleet.node("n1").kill()
    fleet.hub.wait_for_line("alert firing: node_unreachable")
    fleet.hub.wait_for_line("does not take a message")
    fleet.hub.restart()
    await receiver.start()
    try:
        await until(told(receiver, "firing"), "the receiver is told")
        fleet.node("n1").start()
        await until(told(receiver, "firing", "resolved"), "the receiver is told of the return")
    finally:
        await receiver.stop()


async def test_a_restart_is_told_with_what_was_found_and_is_over_when_the_nodes_are_back(fleet: Fleet) -> None:
    async with Receiver("s3cret") as receiver:
        give_rules(fleet, receiver, "[rule.hub_restarted]\n")
        fleet.hub.start()
        fleet.add_node("n1")
        await until_told(lambda: online(fleet, "n1"), "n1 is online")
        assert receiver.alerts == [], "the first start is none"
        fleet.hub.restart()
        await until(lambda: [alert["state"] for alert in receiver.alerts] == ["firing", "resolved"], "both are told")
        began, over = receiver.alerts
        assert began["message"] == "the hub started again and found no open tasks; 1 node to come back"
        assert over["message"].startswith("all nodes are back after")
        assert began["id"] == over["id"]
