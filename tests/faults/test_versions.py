"""Older and newer peers: what is unknown is passed over, or refused with a sentence that says what to upgrade."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from moorline import Client, task
from protocol import frames
from protocol.codec import encode
from protocol.frames import AttemptKey
from protocol.limits import SUBPROTOCOL
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, NodeProcess
from tests.faults.raw_node import RawNode, connected, register, registered, succeeded
from tests.faults.waiting import until
from tests.node.fake_hub import FakeHub
from tests.node.fake_hub import task as task_frame

# Whose keys are not the protocol's.
AS_IT_IS = {"labels", "payload", "value"}

NEWER = {"from_the_future": {"deep": [1, {"er": None}]}, "flag": True}


@task
def work(n: int) -> object:
    """What the raw nodes of these tests say that they run."""
    raise NotImplementedError(n)


def newer(frame: frames.Frame) -> bytes:
    """Give a frame as a newer peer might send it: with fields that nobody here knows, at any depth."""
    return json.dumps(_with_more(msgspec.json.decode(encode(frame)))).encode()


def _with_more(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: inner if key in AS_IT_IS else _with_more(inner) for key, inner in value.items()} | NEWER
    return [_with_more(inner) for inner in value] if isinstance(value, list) else value


# --- nodes that are not of the hub's age ------------------------------------------------------------------------------


async def test_fields_that_the_hub_does_not_know_are_passed_over(fleet: Fleet) -> None:
    fleet.hub.start()
    async with Client(fleet.hub.url) as client, connected(fleet.hub.node_url) as node:
        await node.send_bytes(newer(register("newer", labels={"site": "x"})))
        await node.expect(frames.Registered)
        handle = await client.submit(work, 1)
        (key,) = await node.tasks(1)
        await say_all(node, key)
        assert await handle.result(PATIENCE_S) == "new"
        await node.send_bytes(newer(frames.Bye(reason="done")))
        assert (await node.closed())[0] == 1000


async def say_all(node: RawNode, key: AttemptKey) -> None:
    task_id, attempt = key
    await node.send_bytes(newer(frames.Heartbeat(sequence=1, counters=frames.Counters(started=1))))
    await node.expect(frames.HeartbeatAck)
    await node.send_bytes(newer(frames.Progress(task_id=task_id, attempt=attempt, done=1.0)))
    line = frames.LogLine(task_id=task_id, attempt=attempt, at=1.0, level="INFO", message="m")
    await node.send_bytes(newer(frames.Log(lines=[line])))
    await node.send_bytes(newer(succeeded(key, b'"new"')))
    await node.until_acked([key])


async def test_a_frame_that_the_hub_does_not_know_is_refused_by_name(fleet: Fleet) -> None:
    fleet.hub.start()
    async with registered(fleet.hub.node_url, "newer") as node:
        await node.send_bytes(b'{"type":"teleport","task_id":"t"}')
        code, reason = await node.closed()
        assert code == 4002
        assert "`teleport` is not known here" in reason


@pytest.mark.parametrize("offered", [("moorline.v2",), ("moorline.v9", "soap")])
async def test_a_node_of_another_protocol_is_told_what_to_upgrade(fleet: Fleet, offered: tuple[str, ...]) -> None:
    fleet.hub.start()
    with pytest.raises(InvalidStatus) as caught:
        async with connected(fleet.hub.node_url, subprotocols=offered):
            pass
    said = (caught.value.response.body or b"").decode()
    assert caught.value.response.status_code == 426
    assert SUBPROTOCOL in said
    assert offered[0] in said
    assert "upgrade the older of the two" in said


async def test_a_node_that_offers_no_protocol_is_told_to_offer_it(fleet: Fleet) -> None:
    fleet.hub.start()
    with pytest.raises(InvalidStatus) as caught:
        async with connected(fleet.hub.node_url, subprotocols=()):
            pass
    said = (caught.value.response.body or b"").decode()
    assert caught.value.response.status_code == 426
    assert f"this hub speaks {SUBPROTOCOL}, the node offered none: offer it as subprotocol" in said


async def test_a_node_that_speaks_ours_and_a_newer_protocol_is_let_in(fleet: Fleet) -> None:
    fleet.hub.start()
    async with connected(fleet.hub.node_url, subprotocols=("moorline.v2", SUBPROTOCOL)) as node:
        assert node.socket.subprotocol == SUBPROTOCOL
        await node.enter(register("both"))


# --- hubs that are not of the node's age ------------------------------------------------------------------------------


def a_node(fleet: Fleet, hub: FakeHub) -> NodeProcess:
    node = NodeProcess(hub.url, fleet.folder / "n", fleet.folder / "truth.ndjson", "n")
    fleet.nodes.append(node)
    node.start()
    return node


async def test_a_node_passes_over_fields_and_frames_of_a_newer_hub(fleet: Fleet) -> None:
    async with FakeHub() as hub:
        node = a_node(fleet, hub)
        peer = await hub.peer()
        greeting = await peer.next()
        assert isinstance(greeting, frames.Register)
        answer = frames.Registered(session_id="s", hub_id="h", heartbeat_s=1.0, spread_s=0.0)
        unknown = b'{"type":"teleport","to":["elsewhere",{"deep":1}]}'
        pushed = task_frame("t", app.echo.name, payload={"value": 7})
        for message in (newer(answer), unknown, unknown + b"\n" + newer(pushed) + b"\n" + unknown):
            await peer.socket.send(message, text=True)
        result = await peer.expect(frames.Result)
        assert (result.task_id, result.outcome) == ("t", "succeeded")
        await peer.socket.send(newer(frames.Ack(attempts=[("t", 1)])), text=True)
        await peer.expect(frames.Heartbeat)
        assert node.alive
        assert "Traceback" not in node.log


async def test_a_node_whose_hub_speaks_another_protocol_parks_and_says_what_to_upgrade(fleet: Fleet) -> None:
    said = "this hub speaks moorline.v2, the node offered moorline.v1: upgrade the older of the two"
    async with FakeHub(lambda socket, _: socket.respond(HTTPStatus.UPGRADE_REQUIRED, said + "\n")) as hub:
        node = a_node(fleet, hub)
        await until(lambda: "parked, a person must act" in node.log, "the node parks")
        assert said in node.log
        assert hub.dials == 1
        assert node.alive
