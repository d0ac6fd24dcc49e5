"""What concerns the hub as a whole. The core is real and so is the store."""

from __future__ import annotations

import pytest

from protocol import frames
from protocol.errors import OutOfTurnError
from protocol.frames import Inventory, Register
from tests.hub.harness import Hub, done


def test_a_node_waits_for_the_answer_before_it_says_more(hub: Hub) -> None:
    connection = hub.connect()
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))
    with pytest.raises(OutOfTurnError, match="nothing before"):
        hub.say(connection, frames.Heartbeat(sequence=1))


def test_a_degraded_hub_refuses_newcomers_and_keeps_its_sessions(hub: Hub) -> None:
    first = hub.register()
    hub.apply(hub.core.store_degraded("disk full"))
    second = hub.connect()
    hub.say(second, Register(node_id="m", instance_id="i", slots=1, inventory=Inventory()))
    (refused,) = hub.sent[second]
    assert isinstance(refused, frames.Refused)
    assert (refused.code, refused.retry_after_s) == ("degraded", 5.0)
    hub.say(first, frames.Heartbeat(sequence=7))
    assert hub.frames(first, frames.HeartbeatAck) == [frames.HeartbeatAck(sequence=7)]
    hub.tick(1)
    hub.apply(hub.core.store_recovered(hub.now))
    assert hub.core.degraded is None
    assert hub.frames(hub.register("m"), frames.Registered)


def test_three_frames_carry_a_task(hub: Hub) -> None:
    node = hub.register()
    before = len(hub.sent[node])
    hub.submit("t")
    hub.say(node, done("t"))
    hub.settle()
    assert [frames.frame_type(frame) for frame in hub.sent[node][before:]] == ["task", "ack"]
    assert hub.state("t") == "succeeded"


def test_a_hub_that_stops_pushes_nothing_and_goes_on_acking(hub: Hub) -> None:
    node = hub.register(slots=1)
    hub.submit("a", "b")
    hub.apply(hub.core.stop())
    (away,) = hub.frames(node, frames.GoAway)
    assert (away.action, away.spread_s) == ("reconnect", 0.5)
    hub.say(node, done("a"))
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("a", 1)])]
    assert hub.pushed(node) == [("a", 1)]
    late = hub.connect()
    hub.say(late, Register(node_id="m", instance_id="i", slots=1, inventory=Inventory()))
    (refused,) = hub.sent[late]
    assert refused.code == "stopping"
