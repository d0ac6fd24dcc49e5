"""Which sockets are closed, and what a session keeps when it loses one."""

from __future__ import annotations

from hub.decisions.connections import REGISTER_WITHIN_S
from hub.decisions.timetable import LATE_EVERY_S
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.frames import Inventory, Resume
from tests.hub.harness import Hub


def test_a_socket_that_never_registers_is_closed(hub: Hub) -> None:
    connection = hub.connect()
    hub.tick(REGISTER_WITHIN_S)
    assert connection not in hub.closes
    hub.tick(LATE_EVERY_S)
    assert hub.closes[connection][0] is CloseCode.TOO_SLOW


def test_frames_of_a_connection_that_is_gone_are_dropped(hub: Hub) -> None:
    connection = hub.register()
    hub.drop(connection)
    hub.drop(connection)
    hub.say(connection, frames.Heartbeat(sequence=1))
    assert hub.frames(connection, frames.HeartbeatAck) == []


def test_a_silent_session_is_closed_after_three_heartbeats(hub: Hub) -> None:
    node = hub.register()
    hub.tick(30)
    assert node not in hub.closes
    hub.tick(LATE_EVERY_S)
    assert hub.closes[node][0] is CloseCode.TOO_SLOW
    view = hub.store.node("n")
    assert view is not None
    assert view.state == "unreachable"


def test_a_session_that_stays_away_is_forgotten(hub: Hub) -> None:
    node = hub.register()
    hub.drop(node)
    hub.tick(600 + LATE_EVERY_S)
    again = hub.connect()
    hub.say(again, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    assert hub.frames(again, frames.UnknownSession)


def test_who_departed_is_told_once_and_not_who_said_bye_or_was_sent_away(hub: Hub) -> None:
    hub.drop(hub.register("lost"))
    hub.say(hub.register("leaving"), frames.Bye())
    hub.register("unwanted")
    hub.apply(hub.core.disconnect("unwanted"))
    hub.drop(hub.register("lost"))
    assert hub.core.take_departures() == ["lost", "lost"]
    assert hub.core.take_departures() == []
