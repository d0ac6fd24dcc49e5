"""What follows from a frame, a commit, a call or the passing of time. The core is real and so is the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.connections import REGISTER_WITHIN_S
from hub.sessions import REMEMBERED_S
from hub.store.attempts import Record
from hub.store.logs import AppendLogs
from hub.store.node_views import NodeView
from hub.store.nodes import NodeSeen
from hub.store.submissions import Submitted
from hub.store.wishes import Cancelled, Revived
from hub.timetable import CLAIM_EVERY_S, LATE_EVERY_S, SEEN_EVERY_S
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.errors import OutOfTurnError
from protocol.frames import Inventory, LogLine, Register, Resume
from tests.hub.harness import Hub, done, new, submit_operation


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path / "hub.db")
    yield hub
    hub.store.close()


# --- registering ----------------------------------------------------------------------------------------------------


def test_nothing_is_said_before_the_registration_is_committed(hub: Hub) -> None:
    connection = hub.connect()
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, handlers=["work"], inventory=Inventory()))
    assert hub.sent[connection] == []
    hub.settle()
    (registered,) = hub.sent[connection]
    assert isinstance(registered, frames.Registered)
    assert (registered.hub_id, registered.spread_s) == ("h", 0.5)
    assert hub.core.sessions_live == 1


def test_a_session_is_resumed_by_the_same_instance(hub: Hub) -> None:
    first = hub.register()
    (registered,) = hub.frames(first, frames.Registered)
    hub.drop(first)
    second = hub.connect()
    hub.say(second, Resume(session_id=registered.session_id, instance_id="i", inventory=Inventory()))
    hub.settle()
    (resumed,) = hub.frames(second, frames.Resumed)
    assert resumed.session_id == registered.session_id
    view = hub.store.node("n")
    assert view is not None
    assert (view.state, view.connects, view.disconnects) == ("online", 2, 1)
    assert view.last_disconnect_reason == "the connection broke"


@pytest.mark.parametrize(("session_id", "instance_id"), [("s99", "i"), ("s1", "j")])
def test_an_unknown_session_is_said_to_be_unknown(hub: Hub, session_id: str, instance_id: str) -> None:
    hub.register()
    connection = hub.connect()
    hub.say(connection, Resume(session_id=session_id, instance_id=instance_id, inventory=Inventory()))
    assert hub.sent[connection] == [frames.UnknownSession(session_id=session_id)]
    assert hub.closes[connection][0] is CloseCode.UNKNOWN_SESSION


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


def test_the_same_instance_supersedes_its_own_connection(hub: Hub) -> None:
    first = hub.register()
    second = hub.register()
    assert hub.closes[first][0] is CloseCode.SUPERSEDED
    assert hub.frames(second, frames.Registered)
    hub.say(first, frames.Heartbeat(sequence=1))
    assert hub.frames(first, frames.HeartbeatAck) == []


def test_an_instance_that_proves_the_old_one_dead_supersedes_it(hub: Hub) -> None:
    first = hub.register()
    hub.submit("t")
    assert hub.pushed(first) == [("t", 1)]
    second = hub.register(instance_id="j", predecessors=["i"])
    assert hub.closes[first][0] is CloseCode.SUPERSEDED
    assert hub.pushed(second) == [("t", 2)]


def test_an_instance_without_proof_is_refused_while_the_old_one_lives_but_not_for_ever(hub: Hub) -> None:
    first = hub.register()
    second = hub.register(instance_id="j")
    (refused,) = hub.sent[second]
    assert isinstance(refused, frames.Refused)
    assert refused.code == "instance_conflict"
    assert refused.retry_after_s is not None
    assert 30 <= refused.retry_after_s <= 60
    assert hub.closes[second][0] is CloseCode.REFUSED
    assert [alarm.kind for alarm in hub.alarms] == ["instance_conflict"]
    assert first not in hub.closes
    hub.now_s += 31
    third = hub.register(instance_id="j")
    assert hub.frames(third, frames.Registered)
    assert hub.closes[first][0] is CloseCode.SUPERSEDED


def test_a_token_for_one_node_opens_no_session_for_another(hub: Hub) -> None:
    connection = hub.connect(allowed_node="m")
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))
    (refused,) = hub.sent[connection]
    assert isinstance(refused, frames.Refused)
    assert (refused.code, refused.fatal) == ("not_allowed", True)
    assert not hub.pending


def test_a_token_for_one_node_resumes_no_other_session(hub: Hub) -> None:
    hub.register()
    connection = hub.connect(allowed_node="m")
    hub.say(connection, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    assert hub.frames(connection, frames.UnknownSession)


@pytest.mark.parametrize(
    "message",
    [
        [frames.Heartbeat(sequence=1)],
        [done("t")],
        [
            Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()),
            Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()),
        ],
    ],
)
def test_the_first_message_is_one_register_or_resume(hub: Hub, message: list[frames.NodeFrame]) -> None:
    connection = hub.connect()
    with pytest.raises(OutOfTurnError, match="one `register` or `resume` first"):
        hub.say(connection, *message)


def test_a_node_waits_for_the_answer_before_it_says_more(hub: Hub) -> None:
    connection = hub.connect()
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))
    with pytest.raises(OutOfTurnError, match="nothing before"):
        hub.say(connection, frames.Heartbeat(sequence=1))


def test_an_open_session_is_not_registered_twice(hub: Hub) -> None:
    connection = hub.register()
    with pytest.raises(OutOfTurnError):
        hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))


def test_a_socket_that_never_registers_is_closed(hub: Hub) -> None:
    connection = hub.connect()
    hub.tick(REGISTER_WITHIN_S)
    assert connection not in hub.closes
    hub.tick(LATE_EVERY_S)
    assert hub.closes[connection][0] is CloseCode.TOO_SLOW


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


def test_frames_of_a_connection_that_is_gone_are_dropped(hub: Hub) -> None:
    connection = hub.register()
    hub.drop(connection)
    hub.drop(connection)
    hub.say(connection, frames.Heartbeat(sequence=1))
    assert hub.frames(connection, frames.HeartbeatAck) == []


# --- the road of a task ---------------------------------------------------------------------------------------------


def test_a_task_goes_out_in_the_commit_that_accepts_it(hub: Hub) -> None:
    node = hub.register()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    assert hub.pushed(node) == []
    hub.commit()
    assert hub.pushed(node) == [("t", 1)]
    answer = hub.replies[1]
    assert isinstance(answer, Submitted)
    assert [item.task_id for item in answer.accepted] == ["t"]


def test_three_frames_carry_a_task(hub: Hub) -> None:
    node = hub.register()
    before = len(hub.sent[node])
    hub.submit("t")
    hub.say(node, done("t"))
    hub.settle()
    assert [frames.frame_type(frame) for frame in hub.sent[node][before:]] == ["task", "ack"]
    assert hub.state("t") == "succeeded"


def test_a_result_is_acked_only_after_its_commit(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(node, done("t"))
    assert hub.frames(node, frames.Ack) == []
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("t", 1)])]


def test_the_slots_that_results_free_are_filled_in_the_same_commit(hub: Hub) -> None:
    node = hub.register(slots=2)
    hub.submit("a", "b", "c", "d")
    assert hub.pushed(node) == [("a", 1), ("b", 1)]
    hub.say(node, done("a"), done("b"))
    hub.commit()
    assert hub.pushed(node)[2:] == [("c", 1), ("d", 1)]


def test_slots_are_never_offered_twice(hub: Hub) -> None:
    node = hub.register(slots=2)
    for task_id in "abcd":
        hub.ask(lambda request, task_id=task_id: hub.core.submit(request, [new(task_id)], hub.now))
    hub.settle()
    assert len(hub.pushed(node)) == 2
    for task_id, _ in hub.pushed(node)[:2]:
        hub.say(node, done(task_id))
        hub.say(node, done(task_id))
    hub.settle()
    assert len(hub.pushed(node)) == 4
    for task_id, _ in hub.pushed(node)[2:]:
        hub.say(node, done(task_id))
    hub.settle()
    hub.submit("e", "f", "g")
    assert len(hub.pushed(node)) == 6


def test_a_result_that_is_on_its_way_is_not_put_to_the_store_again(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(node, done("t"))
    hub.say(node, done("t"))
    assert sum(isinstance(operation, Record) for operation, _ in hub.pending) == 1


def test_an_assignment_for_a_connection_that_broke_is_pushed_by_the_next_reconcile_only(hub: Hub) -> None:
    first = hub.register()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.drop(first)
    second = hub.connect()
    hub.say(second, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    hub.settle()
    assert hub.pushed(first) == []
    assert hub.pushed(second) == [("t", 1)]
    hub.say(second, done("t"))
    hub.submit("u", "v")
    assert sorted(hub.pushed(second)) == [("t", 1), ("u", 1), ("v", 1)]


def test_a_result_of_another_nodes_attempt_is_refused_and_raises_an_alarm(hub: Hub) -> None:
    holder = hub.register("n")
    thief = hub.register("m", handlers=["play"])
    hub.submit("t")
    assert hub.pushed(holder)
    hub.say(thief, done("t"))
    hub.settle()
    assert not hub.frames(thief, frames.Ack)
    assert [alarm.kind for alarm in hub.alarms] == ["foreign_result"]
    assert hub.state("t") == "running"


def test_what_waits_is_claimed_when_a_node_comes(hub: Hub) -> None:
    hub.submit("a", "b", "c")
    node = hub.register(slots=2)
    assert hub.pushed(node) == [("a", 1), ("b", 1)]


def test_what_another_writer_queued_is_claimed_in_time(hub: Hub) -> None:
    node = hub.register()
    hub.store.execute([submit_operation("t")], hub.now)
    hub.tick(CLAIM_EVERY_S)
    assert hub.pushed(node) == [("t", 1)]


@pytest.mark.parametrize("clock", ["steady", "wall"])
def test_a_delayed_task_wakes_the_hub_when_it_is_due(hub: Hub, clock: str) -> None:
    node = hub.register()
    hub.tick()
    when = {"delay_s": 0.25} if clock == "steady" else {"not_before": hub.now.wall_s + 0.25}
    hub.submit("t", **when)
    assert hub.core.wake_at_s() <= hub.now_s + 0.25
    hub.tick(0.25)
    assert hub.pushed(node) == [("t", 1)]


def test_attempts_that_the_store_does_not_know_are_kept_and_told(hub: Hub) -> None:
    node = hub.register(inventory=Inventory(running=[("x", 1)], results=[("y", 2)]))
    (verdicts,) = hub.frames(node, frames.Verdicts)
    assert verdicts == frames.Verdicts(keep=[("x", 1), ("y", 2)])
    assert [alarm.kind for alarm in hub.alarms] == ["unknown_attempts"]
    hub.say(node, done("y", 2))
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("y", 2)])]


# --- cancel, retry, wishes ------------------------------------------------------------------------------------------


def test_a_cancel_reaches_the_node_and_frees_the_slot_when_it_answers(hub: Hub) -> None:
    node = hub.register(slots=1)
    hub.submit("t", "u")
    hub.ask(lambda request: hub.core.cancel(request, ["t"], "enough"))
    hub.settle()
    answer = hub.replies[2]
    assert isinstance(answer, Cancelled)
    assert [frame.task_id for frame in hub.frames(node, frames.Cancel)] == ["t"]
    assert hub.state("t") == "cancelled"
    assert hub.pushed(node) == [("t", 1)]
    hub.say(node, done("t", outcome="cancelled"))
    hub.settle()
    assert hub.pushed(node) == [("t", 1), ("u", 1)]
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("t", 1)])]


def test_a_cancel_that_the_node_missed_is_said_again_when_it_is_back(hub: Hub) -> None:
    first = hub.register()
    hub.submit("t")
    hub.drop(first)
    hub.ask(lambda request: hub.core.cancel(request, ["t"], ""))
    hub.settle()
    second = hub.register(inventory=Inventory(running=[("t", 1)]))
    assert [frame.task_id for frame in hub.frames(second, frames.Cancel)] == ["t"]


def test_a_finished_task_can_be_run_again(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(node, done("t", outcome="failed"))
    hub.settle()
    assert hub.state("t") == "failed"
    hub.ask(lambda request: hub.core.revive(request, ["t"]))
    hub.settle()
    assert isinstance(hub.replies[2], Revived)
    assert hub.pushed(node) == [("t", 1), ("t", 2)]


def test_a_cordoned_node_gets_nothing_new_until_it_is_uncordoned(hub: Hub) -> None:
    node = hub.register(slots=2)
    hub.submit("a")
    hub.ask(lambda request: hub.core.wish(request, "n", cordoned=True))
    hub.settle()
    answer = hub.replies[2]
    assert isinstance(answer, NodeView)
    assert answer.cordoned
    hub.submit("b", "c")
    hub.say(node, done("a"))
    hub.settle()
    assert hub.pushed(node) == [("a", 1)]
    hub.ask(lambda request: hub.core.wish(request, "n", cordoned=False))
    hub.settle()
    assert hub.pushed(node) == [("a", 1), ("b", 1), ("c", 1)]


def test_a_cordon_is_kept_over_a_new_registration(hub: Hub) -> None:
    hub.register()
    hub.ask(lambda request: hub.core.wish(request, "n", cordoned=True))
    hub.settle()
    node = hub.register()
    hub.submit("t")
    assert hub.pushed(node) == []


def test_a_drained_node_is_told_to_leave_and_gets_nothing_new(hub: Hub) -> None:
    node = hub.register()
    hub.ask(lambda request: hub.core.wish(request, "n", draining=True))
    hub.settle()
    (away,) = hub.frames(node, frames.GoAway)
    assert away.action == "drain"
    hub.submit("t")
    assert hub.pushed(node) == []
    live = hub.core.live("n")
    assert hub.core.live_nodes() == {"n": live}
    assert live is not None
    assert live.draining
    hub.say(node, frames.Bye())
    hub.settle()
    assert hub.closes[node][0] is CloseCode.NORMAL
    view = hub.store.node("n")
    assert view is not None
    assert (view.state, view.draining) == ("gone", False)
    assert hub.core.live("n") is None
    assert hub.core.live_nodes() == {}


def test_a_drain_that_the_node_missed_is_said_when_it_is_back(hub: Hub) -> None:
    first = hub.register()
    hub.drop(first)
    hub.ask(lambda request: hub.core.wish(request, "n", draining=True))
    hub.settle()
    second = hub.register()
    assert hub.frames(second, frames.GoAway)


def test_a_node_that_drains_by_itself_gets_nothing_new(hub: Hub) -> None:
    node = hub.register()
    hub.say(node, frames.Drain(reason="SIGTERM"))
    hub.submit("t")
    assert hub.pushed(node) == []
    again = hub.register(draining=True)
    assert hub.pushed(again) == []


def test_a_wish_for_a_node_that_is_unknown_is_answered_with_nothing(hub: Hub) -> None:
    hub.ask(lambda request: hub.core.wish(request, "nobody", cordoned=True))
    hub.settle()
    assert hub.replies[1] is None


def test_a_disconnected_node_has_to_register_again(hub: Hub) -> None:
    node = hub.register()
    hub.apply(hub.core.disconnect("n"))
    assert hub.closes[node][0] is CloseCode.DISCONNECTED
    assert hub.core.disconnect("n") == []
    again = hub.connect()
    hub.say(again, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    assert hub.frames(again, frames.UnknownSession)


# --- time -----------------------------------------------------------------------------------------------------------


def test_an_attempt_is_freed_when_its_lease_and_the_margin_ran_out_and_not_before(hub: Hub) -> None:
    first = hub.register("n")
    hub.submit("t", lease_s=100)
    hub.drop(first)
    second = hub.register("m")
    for _ in range(10):
        hub.say(second, frames.Heartbeat(sequence=1))
        hub.tick(10)
    assert hub.state("t") == "running"
    hub.say(second, frames.Heartbeat(sequence=2))
    hub.tick(7)
    hub.tick(7)
    assert hub.pushed(second) == [("t", 2)]
    assert "lease_expired" in [alarm.kind for alarm in hub.alarms]
    late = hub.register("n", inventory=Inventory(results=[("t", 1)]))
    assert hub.frames(late, frames.Verdicts) == [frames.Verdicts(forget=[("t", 1)])]


def test_a_hub_that_starts_counts_every_lease_as_renewed(tmp_path: Path) -> None:
    before = Hub(tmp_path / "hub.db")
    before.register("n")
    before.submit("t", lease_s=100)
    before.store.close()
    after = Hub(tmp_path / "hub.db")
    after.now_s += 10_000
    after.start()
    after.tick(99)
    assert after.state("t") == "running"
    after.tick(8)
    assert after.state("t") == "queued"
    after.store.close()


def test_a_heartbeat_renews_the_lease(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", lease_s=1)
    for number in range(1, 20):
        hub.tick(10)
        hub.say(node, frames.Heartbeat(sequence=number))
    assert hub.state("t") == "running"


def test_a_silent_session_is_closed_after_three_heartbeats(hub: Hub) -> None:
    node = hub.register()
    hub.tick(30)
    assert node not in hub.closes
    hub.tick(LATE_EVERY_S)
    assert hub.closes[node][0] is CloseCode.TOO_SLOW
    view = hub.store.node("n")
    assert view is not None
    assert view.state == "unreachable"


def test_a_fleet_that_falls_silent_at_once_frees_nothing(hub: Hub) -> None:
    nodes = [hub.register(f"n{number}") for number in range(4)]
    hub.submit(*"abcd", lease_s=60)
    for node in nodes[:3]:
        hub.drop(node)
    hub.tick(31)
    hub.tick(60)
    assert [alarm.kind for alarm in hub.alarms].count("fleet_silent") == 1
    assert {hub.state(task_id) for task_id in "abcd"} == {"running"}
    for number in range(3):
        view = [key for key in "abcd" if hub.holder(key) == f"n{number}"]
        hub.register(f"n{number}", inventory=Inventory(running=[(key, 1) for key in view]))
    hub.tick(1)
    assert [alarm.kind for alarm in hub.alarms].count("fleet_back") == 1


def test_who_was_heard_of_is_stored_now_and_then(hub: Hub) -> None:
    node = hub.register()
    hub.tick(SEEN_EVERY_S)
    hub.say(node, frames.Heartbeat(sequence=1, outbox=3, load=0.5, round_trip_ms=1.5))
    hub.now_s += SEEN_EVERY_S
    hub.apply(hub.core.tick(hub.now))
    assert [operation for operation, _ in hub.pending if isinstance(operation, NodeSeen)] == [
        NodeSeen(nodes=[("n", "i")])
    ]
    hub.settle()
    live = hub.core.live("n")
    assert live is not None
    assert (live.outbox, live.load, live.round_trip_ms) == (3, 0.5, 1.5)


def test_a_session_that_stays_away_is_forgotten(hub: Hub) -> None:
    node = hub.register()
    hub.drop(node)
    hub.tick(600 + LATE_EVERY_S)
    again = hub.connect()
    hub.say(again, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    assert hub.frames(again, frames.UnknownSession)


# --- progress and logs ----------------------------------------------------------------------------------------------


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


# --- stopping -------------------------------------------------------------------------------------------------------


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


# --- an operation that fails for a reason of its own ----------------------------------------------------------------


def test_results_that_could_not_be_recorded_are_not_acked_and_may_come_again(hub: Hub) -> None:
    node = hub.register(slots=1)
    hub.submit("t", "u")
    hub.say(node, done("t"))
    hub.fail_next(ValueError("broken"))
    assert hub.frames(node, frames.Ack) == []
    assert [alarm.kind for alarm in hub.alarms] == ["operation_failed"]
    hub.say(node, done("t"))
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("t", 1)])]
    assert hub.pushed(node) == [("t", 1), ("u", 1)]


def test_a_registration_that_failed_is_refused(hub: Hub) -> None:
    connection = hub.connect()
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))
    hub.fail_next(ValueError("broken"))
    (refused,) = hub.sent[connection]
    assert refused.code == "internal"


def test_a_call_whose_operation_failed_is_answered_with_the_failure(hub: Hub) -> None:
    hub.register(slots=1)
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.fail_next(ValueError("broken"))
    assert isinstance(hub.replies[1], ValueError)
    hub.submit("u")
    assert hub.state("u") == "running"
