"""How a node comes in: who may, and what it is told once that is committed."""

from __future__ import annotations

import pytest

from protocol import frames
from protocol.close_codes import CloseCode
from protocol.codec import encode, node_frames_decoder
from protocol.errors import OutOfTurnError
from protocol.frames import Inventory, Register, Resume
from protocol.limits import SLOTS_MAX
from tests.hub.harness import Hub, done


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


def test_attempts_that_the_store_does_not_know_are_kept_and_told(hub: Hub) -> None:
    node = hub.register(inventory=Inventory(running=[("x", 1)], results=[("y", 2)]))
    (verdicts,) = hub.frames(node, frames.Verdicts)
    assert verdicts == frames.Verdicts(keep=[("x", 1), ("y", 2)])
    assert [alarm.kind for alarm in hub.alarms] == ["unknown_attempts"]
    hub.say(node, done("y", 2))
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("y", 2)])]


def test_a_cancel_that_the_node_missed_is_said_again_when_it_is_back(hub: Hub) -> None:
    first = hub.register()
    hub.submit("t")
    hub.drop(first)
    hub.ask(lambda request: hub.core.cancel(request, ["t"], ""))
    hub.settle()
    second = hub.register(inventory=Inventory(running=[("t", 1)]))
    assert [frame.task_id for frame in hub.frames(second, frames.Cancel)] == ["t"]


def test_a_cordon_is_kept_over_a_new_registration(hub: Hub) -> None:
    hub.register()
    hub.ask(lambda request: hub.core.wish(request, "n", cordoned=True))
    hub.settle()
    node = hub.register()
    hub.submit("t")
    assert hub.pushed(node) == []


def test_a_drain_that_the_node_missed_is_said_when_it_is_back(hub: Hub) -> None:
    first = hub.register()
    hub.drop(first)
    hub.ask(lambda request: hub.core.wish(request, "n", draining=True))
    hub.settle()
    second = hub.register()
    assert hub.frames(second, frames.GoAway)


def test_a_registration_that_failed_is_refused(hub: Hub) -> None:
    connection = hub.connect()
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, inventory=Inventory()))
    hub.fail_next(ValueError("broken"))
    (refused,) = hub.sent[connection]
    assert refused.code == "internal"


@pytest.mark.parametrize("is_resume", [False, True])
def test_a_greeting_that_arrives_behind_that_of_a_newer_connection_is_dropped(hub: Hub, is_resume: bool) -> None:
    late = hub.connect()
    node = hub.register()
    hub.submit("t")
    assert hub.pushed(node) == [("t", 1)]
    hub.ask(lambda request: hub.core.cancel(request, ["t"], ""))
    hub.settle()
    # The node has left this connection before it had the task: what it says there holds no more.
    stale = Resume(session_id="s1", instance_id="i", inventory=Inventory())
    fresh = frames.Register(node_id="n", instance_id="i", slots=2, handlers=["work"], inventory=Inventory())
    hub.say(late, stale if is_resume else fresh)
    hub.settle()
    view = hub.store.task("t")
    assert view is not None
    assert view.held
    assert node not in hub.closes
    assert hub.closes[late][0] == CloseCode.SUPERSEDED


def test_a_node_with_every_slot_in_use_and_the_longest_ids_can_register() -> None:
    keys = [(f"{number:04d}-" + "x" * 123, 2**31 - 1) for number in range(SLOTS_MAX)]
    greeting = Resume(session_id="s", instance_id="i", inventory=Inventory(running=keys))
    assert node_frames_decoder().decode(encode(greeting)) == [greeting]


def test_progress_of_what_a_dead_instance_held_is_dropped(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", on_lost="fail")
    hub.say(node, frames.Progress(task_id="t", attempt=1, done=1.0))
    hub.drop(node)
    hub.register(instance_id="j", predecessors=["i"])
    assert hub.state("t") == "lost"
    assert hub.core.progress("t") is None


def test_a_registration_whose_connection_broke_before_the_commit_is_not_answered(hub: Hub) -> None:
    connection = hub.connect()
    hub.say(connection, Register(node_id="n", instance_id="i", slots=1, handlers=["work"], inventory=Inventory()))
    hub.drop(connection)
    hub.settle()
    assert hub.sent[connection] == []
    assert hub.core.sessions_live == 0
