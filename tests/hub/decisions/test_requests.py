"""What calls of the API do to tasks and nodes."""

from __future__ import annotations

from hub.store.node_views import NodeView
from hub.store.wishes import Cancelled, Revived
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.frames import Inventory, Resume
from tests.hub.harness import Hub, done, new


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


def test_a_call_whose_operation_failed_is_answered_with_the_failure(hub: Hub) -> None:
    hub.register(slots=1)
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.fail_next(ValueError("broken"))
    assert isinstance(hub.replies[1], ValueError)
    hub.submit("u")
    assert hub.state("u") == "running"
