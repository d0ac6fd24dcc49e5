from __future__ import annotations

from typing import Any

from node.decisions.effects import Dial, Joined
from node.decisions.health import Connectedness, Holdings, NodeHealth, health_of, status_of
from protocol.frames import HubLimits

URL = "ws://hub:8765"


def joined(session_id: str = "s1") -> Joined:
    return Joined(hub_id="h", session_id=session_id, url=URL, limits=HubLimits(), is_resumed=False)


def look(link: Connectedness, at: float = 100.0, **changes: Any) -> NodeHealth:
    values: dict[str, Any] = {
        "draining": False, "confirmed_age_s": 3.0, "running": 2, "slots": 4, "outbox": 1, "outbox_writes": True
    }  # fmt: skip
    return health_of(link, Holdings(**(values | changes)), node_id="n", instance_id="i", version="1", pid=7, at=at)


def test_a_node_with_a_session_is_ready() -> None:
    link = Connectedness(URL, 10.0)
    link.joined(joined(), 20.0)
    health = look(link)
    assert (health.ready, health.reasons, health.connected, health.since) == (True, [], True, 20.0)
    assert (health.session_id, health.hub, health.reason) == ("s1", URL, "")
    assert status_of(health) == f"connected to {URL}: 2 of 4 slots in use, 1 results not acknowledged"


def test_a_node_that_lost_its_session_says_since_when_and_why() -> None:
    link = Connectedness(URL, 10.0)
    link.joined(joined(), 20.0)
    link.lost(Dial(url="ws://other:1", after_s=1.0, reason="the connection broke"), 50.0)
    link.lost(Dial(url="ws://other:1", after_s=1.0, reason="connection refused"), 60.0)
    health = look(link, at=92.4)
    assert not health.ready
    assert health.reasons == ["no session with a hub for 42 s: connection refused"]
    assert (health.since, health.session_id, health.hub) == (50.0, None, "ws://other:1")
    assert status_of(health).startswith("no session with a hub: connection refused; 2 of 4 slots")


def test_a_dial_without_a_reason_keeps_the_one_before() -> None:
    link = Connectedness(URL, 10.0)
    link.lost(Dial(url=URL, after_s=0.0), 10.0)
    assert look(link).reasons == ["no session with a hub for 90 s: it has just started"]


def test_a_parked_node_asks_for_a_person() -> None:
    link = Connectedness(URL, 10.0)
    link.lost(Dial(url=URL, after_s=300.0, reason="the hub refuses the token", is_parked=True), 11.0)
    health = look(link)
    assert health.parked
    assert health.reasons == ["parked, a person must act: the hub refuses the token"]
    assert status_of(health).startswith("parked, a person must act: the hub refuses the token; ")
    link.joined(joined(), 20.0)
    assert not look(link).parked


def test_a_node_that_drains_or_cannot_write_is_not_ready() -> None:
    link = Connectedness(URL, 10.0)
    link.joined(joined(), 20.0)
    health = look(link, draining=True, outbox_writes=False)
    assert health.reasons == ["the outbox cannot be written", "the node drains"]
    assert status_of(health).startswith("the outbox cannot be written; the node drains; 2 of 4")
