"""What follows from the frames of an open session."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Raw

from hub.decisions.conversation import LOGS_UNDER_WAY_MAX
from hub.store.logs import AppendLogs
from protocol import frames
from protocol.errors import OutOfTurnError, ProtocolError
from protocol.frames import Inventory, LogLine, Register, Resume
from tests.hub.harness import Hub, done, new


def test_a_fleet_that_has_grown_is_told_its_spread_with_a_heartbeat_and_once(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub.db", admissions_per_s=1.0)
    first = hub.register("n0")
    for number in range(1, 4):
        hub.register(f"n{number}")
    hub.say(first, frames.Heartbeat(sequence=1), frames.Heartbeat(sequence=2))
    (registered,) = hub.frames(first, frames.Registered)
    assert registered.spread_s == 1.0
    acks = [frames.HeartbeatAck(sequence=1, spread_s=4.0), frames.HeartbeatAck(sequence=2)]
    assert hub.frames(first, frames.HeartbeatAck) == acks
    hub.store.close()


def test_an_open_session_is_not_registered_twice(hub: Hub) -> None:
    connection = hub.register()
    with pytest.raises(OutOfTurnError):
        hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))


def test_a_node_that_drains_by_itself_gets_nothing_new(hub: Hub) -> None:
    node = hub.register()
    hub.say(node, frames.Drain(reason="SIGTERM"))
    hub.say(node, frames.Drain(reason="once more"))
    hub.submit("t")
    assert hub.pushed(node) == []
    assert [view.state for view in hub.store.nodes()] == ["draining"]
    again = hub.register(draining=True)
    assert hub.pushed(again) == []
    assert [view.state for view in hub.store.nodes()] == ["draining"]


def test_progress_of_what_a_node_holds_is_told_and_ends_with_the_attempt(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(
        node, frames.Progress(task_id="t", attempt=1, done=1, total=4), frames.Progress(task_id="x", attempt=1, done=1)
    )
    latest = hub.core.progress("t")
    assert latest is not None
    assert (latest.done, latest.total) == (1, 4)
    assert len(hub.told) == 1
    hub.say(node, done("t"))
    hub.settle()
    assert hub.core.progress("t") is None


def test_log_lines_of_what_a_node_holds_are_kept(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    mine = LogLine(task_id="t", attempt=1, at=5.0, level="INFO", message="hello")
    foreign = LogLine(task_id="x", attempt=1, at=5.0, level="INFO", message="hello")
    hub.say(node, frames.Log(lines=[mine, foreign], dropped=2))
    hub.settle()
    assert [line.message for line in hub.store.logs("t").lines] == ["hello"]
    assert hub.store.logs("x").lines == []
    assert hub.core.counts["log_lines_dropped"] == 2
    hub.say(node, frames.Log(lines=[foreign]))
    assert not any(isinstance(operation, AppendLogs) for operation, _ in hub.pending)


def test_what_is_assigned_while_a_node_says_bye_is_queued_again_and_is_no_loss(hub: Hub) -> None:
    node = hub.register()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.say(node, frames.Drain(), frames.Bye(reason="drained"))
    hub.settle()
    assert hub.pushed(node) == []
    assert hub.state("t") == "queued"
    other = hub.register("m")
    assert hub.pushed(other) == [("t", 2)]
    view = hub.store.task("t")
    assert view is not None
    assert (view.losses, view.failures) == (0, 0)


def test_a_task_that_may_not_run_twice_survives_a_bye_that_crosses_it(hub: Hub) -> None:
    node = hub.register()
    hub.submit()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.say(node, frames.Bye())
    hub.settle()
    hub.tick(400)
    assert hub.state("t") == "queued"


def test_log_lines_on_their_way_to_the_store_are_bounded_and_the_rest_is_counted(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    line = LogLine(task_id="t", attempt=1, at=0.0, level="INFO", message="x")
    for _ in range(LOGS_UNDER_WAY_MAX + 10):
        hub.say(node, frames.Log(lines=[line]))
    assert sum(isinstance(operation, AppendLogs) for operation, _ in hub.pending) == LOGS_UNDER_WAY_MAX
    assert hub.core.counts["log_lines_dropped"] == 10
    hub.settle()
    hub.say(node, frames.Log(lines=[line]))
    assert sum(isinstance(operation, AppendLogs) for operation, _ in hub.pending) == 1


@pytest.mark.parametrize(
    "behind",
    [
        Resume(session_id="s", instance_id="i", inventory=Inventory()),
        frames.Result(task_id="x", attempt=1, outcome="succeeded", value=Raw(b"[" * 200 + b"]" * 200)),
    ],
)
def test_a_bye_in_a_message_that_is_refused_leaves_no_ghost(hub: Hub, behind: frames.NodeFrame) -> None:
    node = hub.register()
    with pytest.raises(ProtocolError):
        hub.say(node, frames.Bye(), behind)
    hub.drop(node, "protocol error")
    hub.settle()
    view = hub.store.node("n")
    assert view is not None
    assert view.state == "unreachable"


def test_a_heartbeat_says_how_far_the_nodes_clock_is_ahead(hub: Hub) -> None:
    node = hub.register()
    hub.say(node, frames.Heartbeat(sequence=1, at=hub.now_s + 5.0, round_trip_ms=100.0))
    (session,) = hub.core.sessions()
    assert session.skew_s == pytest.approx(5.05)
    hub.say(node, frames.Heartbeat(sequence=2))
    assert session.skew_s is None
