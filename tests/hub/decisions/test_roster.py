"""What the sessions say together."""

from __future__ import annotations

from pathlib import Path

from hub.decisions.roster import Roster
from hub.decisions.sessions import REMEMBERED_S, Fleet, Session
from hub.decisions.timetable import LATE_EVERY_S
from protocol import frames
from protocol.frames import Inventory
from tests.hub.harness import Hub


def test_a_hub_that_starts_names_the_spread_of_the_fleet_that_it_had_until_it_had_the_time_to_come(
    tmp_path: Path,
) -> None:
    before = Hub(tmp_path / "hub.db", admissions_per_s=1.0)
    for number in range(8):
        before.register(f"n{number}")
    before.store.close()
    hub = Hub(tmp_path / "hub.db", admissions_per_s=1.0, heartbeat_s=REMEMBERED_S)
    hub.start()
    first = hub.register("n0")
    (registered,) = hub.frames(first, frames.Registered)
    assert registered.spread_s == 8.0
    for beat in range(1, 7):
        hub.say(first, frames.Heartbeat(sequence=beat))
        hub.now_s += REMEMBERED_S / 5
        hub.tick()
    assert [ack.spread_s for ack in hub.frames(first, frames.HeartbeatAck)] == [None] * 5 + [1.0]
    hub.store.close()


def test_the_fleet_is_what_the_live_sessions_hold_together(hub: Hub) -> None:
    first = hub.register("n", slots=2)
    hub.register("m", slots=3, handlers=["play"])
    hub.submit("t")
    hub.say(first, frames.Heartbeat(sequence=1, outbox=4))
    assert hub.core.fleet() == Fleet(sessions=2, slots=5, slots_in_use=1, outbox=4)
    assert [session.node_id for session in hub.core.sessions()] == ["n", "m"]
    hub.drop(first)
    assert hub.core.fleet() == Fleet(sessions=1, slots=3)


def test_a_node_that_is_away_for_a_while_is_still_known_to_handle_its_names(hub: Hub) -> None:
    assert not hub.core.handles("work")
    hub.drop(hub.register())
    assert hub.core.handles("work")
    hub.tick(REMEMBERED_S + LATE_EVERY_S)
    assert not hub.core.handles("work")


def test_forgetting_a_session_that_has_a_successor_leaves_the_successor() -> None:
    roster = Roster(admissions_per_s=1.0)
    frame = frames.Register(node_id="n", instance_id="i", slots=1, inventory=Inventory())
    old, new = Session(frame, "s1", 1, 0.0), Session(frame, "s2", 2, 0.0)
    roster.add(old)
    roster.add(new)
    roster.forget(old)
    assert roster["n"] is new
    assert roster.by_session_id("s1") is None
    assert roster.by_session_id("s2") is new
