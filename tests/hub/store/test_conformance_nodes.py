"""Nodes: every connect is a reconcile, totals only grow, and nobody's leaving frees what it runs."""

from __future__ import annotations

import pytest

from hub.decisions.lifecycle import TaskState
from hub.decisions.sessions import REMEMBERED_S
from hub.store.assignments import Fetch, Fetched
from hub.store.attempts import Silence
from hub.store.node_views import NodeView
from hub.store.nodes import HubStarted, Inherited, NodeLeaving, NodeLeft, NodeSeen
from hub.store.sqlite import departed
from hub.store.sqlite.nodes import FETCHED_BYTES_MAX
from hub.store.wishes import NodeWish
from protocol.frames import AttemptKey
from tests.hub.store.board import START_S, Board, offer, result


def _node(board: Board, node_id: str = "n") -> NodeView:
    node = board.store.node(node_id)
    assert node is not None
    return node


def _leave(
    board: Board, node_id: str = "n", instance_id: str = "i", *, session_id: str = "s", gone: bool = False
) -> None:
    left = NodeLeft(node_id=node_id, instance_id=instance_id, session_id=session_id, reason="cut", gone=gone)
    board.one(left)


def test_a_registration_is_stored_as_it_was_said(board: Board) -> None:
    board.register(labels={"site": "berlin"}, handlers=["work", "else"])
    node = _node(board)
    assert (node.state, node.name, node.labels, node.slots) == ("online", "N", {"site": "berlin"}, 4)
    assert (node.handlers, node.instance_id, node.session_id) == (["else", "work"], "i", "s")
    assert (node.first_seen_at, node.connected_at, node.connects) == (START_S, START_S, 1)
    assert board.store.nodes() == [node]
    assert board.store.node("nobody") is None


def test_a_resumption_keeps_what_was_registered(board: Board) -> None:
    board.register(labels={"site": "berlin"})
    _leave(board)
    board.wait(3)
    board.register(is_resumed=True)
    node = _node(board)
    assert (node.state, node.labels, node.connects, node.disconnects) == ("online", {"site": "berlin"}, 2, 1)
    assert (node.first_seen_at, node.last_seen_at) == (START_S, START_S + 3)


def test_a_node_that_drains_by_itself_is_draining_until_it_has_left(board: Board) -> None:
    board.register()
    for instance_id, session_id in (("another", "s"), ("i", "another")):
        board.one(NodeLeaving(node_id="n", instance_id=instance_id, session_id=session_id))
        assert _node(board).state == "online"
    board.one(NodeLeaving(node_id="n", instance_id="i", session_id="s"))
    assert (_node(board).state, _node(board).draining) == ("draining", False)
    # An operator cannot call it back.
    board.one(NodeWish(node_id="n", cordoned=False, draining=False))
    assert _node(board).state == "draining"
    _leave(board)
    board.one(NodeLeaving(node_id="n", instance_id="i", session_id="s"))
    assert _node(board).state == "unreachable"
    board.register(is_resumed=True, leaving=True)
    assert _node(board).state == "draining"
    board.register(instance_id="next")
    assert _node(board).state == "online"


def test_leaving_is_noted_only_for_the_session_that_is_known(board: Board) -> None:
    board.register()
    _leave(board, instance_id="another")
    _leave(board, session_id="another")
    assert _node(board).state == "online"
    _leave(board)
    node = _node(board)
    assert (node.state, node.disconnects, node.last_disconnect_reason) == ("unreachable", 1, "cut")
    _leave(board)
    assert _node(board).disconnects == 1


def test_a_node_that_says_goodbye_is_gone(board: Board) -> None:
    board.register()
    _leave(board, gone=True)
    assert _node(board).state == "gone"


def test_leaving_frees_nothing(board: Board) -> None:
    board.register()
    board.running("a")
    _leave(board)
    assert board.state("a") is TaskState.RUNNING
    assert _node(board).slots_in_use == 1


def test_a_node_that_is_away_for_long_is_gone(board: Board) -> None:
    board.register()
    _leave(board)
    board.wait(50)
    board.sweep(gone_after_s=60)
    assert _node(board).state == "unreachable"
    board.wait(11)
    board.sweep(gone_after_s=60)
    assert _node(board).state == "gone"
    board.register(session_id="s2")
    assert _node(board).state == "online"


def test_a_jump_of_the_wall_clock_makes_no_node_gone(board: Board) -> None:
    board.register()
    _leave(board)
    board.wall_s += 86_400
    board.sweep(gone_after_s=60)
    assert _node(board).state == "unreachable"


def test_heartbeats_are_noted_for_the_instance_that_is_known(board: Board) -> None:
    board.register()
    board.register("m", "j")
    board.wait(9)
    board.one(NodeSeen(nodes=[("n", "i"), ("m", "another"), ("nobody", "x")]))
    assert (_node(board).last_seen_at, _node(board, "m").last_seen_at) == (START_S + 9, START_S)


def test_wishes_of_an_operator_are_kept_and_told_at_each_connect(board: Board) -> None:
    board.register()
    view = board.one(NodeWish(node_id="n", cordoned=True))
    assert isinstance(view, NodeView)
    assert (view.cordoned, view.draining, view.state) == (True, False, "online")
    view = board.one(NodeWish(node_id="n", draining=True))
    assert isinstance(view, NodeView)
    assert (view.cordoned, view.draining, view.state) == (True, True, "draining")
    _leave(board)
    reconciled = board.register()
    assert (reconciled.cordoned, reconciled.draining) == (True, True)
    assert _node(board).state == "draining"
    board.one(NodeWish(node_id="n", cordoned=False, draining=False))
    assert (_node(board).state, _node(board).cordoned) == ("online", False)
    assert board.one(NodeWish(node_id="nobody", cordoned=True)) is None


def test_a_hub_that_starts_knows_who_holds_what_and_frees_nothing(board: Board) -> None:
    board.register()
    board.register("idle", "j")
    board.running("a")
    board.put("b")
    inherited = board.one(HubStarted(hub_id="h"))
    assert isinstance(inherited, Inherited)
    assert inherited.holders == [("n", "i")]
    assert (inherited.nodes, inherited.tasks["running"], inherited.tasks["queued"]) == (2, 1, 1)
    assert [node.state for node in board.store.nodes()] == ["unreachable", "unreachable"]
    assert board.state("a") is TaskState.RUNNING


# --- reconciling -----------------------------------------------------------------------------------------------------


def test_what_the_node_has_is_kept(board: Board) -> None:
    board.register()
    runs, waits = board.running("runs"), board.running("waits")
    told = board.register(running=[runs], results=[waits])
    assert (sorted(told.keep), sorted(told.held)) == ([runs, waits], [runs, waits])
    assert (told.stop, told.forget, told.push, told.unknown) == ([], [], [], [])


def test_what_never_arrived_is_pushed_again_as_the_same_attempt(board: Board) -> None:
    board.register()
    board.submit(board.new("a", payload=b'{"x":1}', timeout_s=3.0), offers=[offer()])
    told = board.register()
    assert (told.push, told.held) == ([("a", 1)], [("a", 1)])
    (pushed,) = board.fetch(*told.push).assignments
    assert (pushed.task_id, pushed.attempt, pushed.payload, pushed.timeout_s) == ("a", 1, b'{"x":1}', 3.0)
    assert (pushed.node_id, pushed.instance_id) == ("n", "i")


def test_what_is_fetched_comes_in_order_up_to_its_bytes(board: Board) -> None:
    board.register()
    sizes = {"a": 10, "b": 5000, "c": 10, "d": 10}
    board.submit(*(board.new(task_id, payload=b" " * size) for task_id, size in sizes.items()), offers=[offer(4)])
    keys = [("d", 1), ("b", 1), ("a", 1), ("c", 1)]
    assert _fetched(board, keys, bytes_max=11) == ["d", "b"]
    assert _fetched(board, keys, bytes_max=5010) == ["d", "b"]
    assert _fetched(board, keys, bytes_max=5011) == ["d", "b", "a"]
    assert _fetched(board, keys, bytes_max=1) == ["d"]
    assert _fetched(board, keys, bytes_max=0) == []
    assert [item.payload for item in board.fetch(("b", 1)).assignments] == [b" " * 5000]


def _fetched(board: Board, keys: list[AttemptKey], bytes_max: int) -> list[str]:
    fetched = board.fetch(*keys, bytes_max=bytes_max)
    assert fetched.gone == []
    return [item.task_id for item in fetched.assignments]


def test_fetches_of_one_transaction_share_what_it_may_read_and_the_first_is_always_served(board: Board) -> None:
    board.register()
    size = 256 * 1024
    tasks = [board.new(payload=b" " * size) for _ in range(80)]
    board.submit(*tasks[:40], offers=[offer(40, bytes_max=1 << 30)])
    board.submit(*tasks[40:], offers=[offer(40, bytes_max=1 << 30)])
    keys = [(task.task_id, 1) for task in tasks]
    operations = [
        Fetch(node_id="n", instance_id="i", keys=keys[at : at + 20], bytes_max=20 * size) for at in range(0, 80, 20)
    ]
    counts = [len(answer.assignments) for answer in board.run(*operations) if isinstance(answer, Fetched)]
    assert counts == [20, 20, 20, 4]
    assert sum(counts) * size == FETCHED_BYTES_MAX


def test_what_was_cancelled_before_it_was_fetched_is_freed(board: Board) -> None:
    board.register()
    key = board.running("a")
    board.running("b")
    board.cancel("a")
    fetched = board.fetch(key, ("b", 1))
    assert (fetched.gone, [item.task_id for item in fetched.assignments]) == ([key], ["b"])
    assert _node(board).slots_in_use == 1
    assert board.state("a") is TaskState.CANCELLED
    assert board.fetch(key) == Fetched(assignments=[], gone=[key])


def test_what_is_no_longer_the_instances_is_not_fetched(board: Board) -> None:
    board.register()
    mine, over = board.running("mine"), board.running("over")
    board.record(result(over))
    for fetched in (
        board.fetch(over, ("nothing", 1)),
        board.fetch((mine[0], 2), ("mine", 0)),
        board.fetch(mine, mine, node_id="m"),
        board.fetch(mine, mine, instance_id="i2"),
    ):
        assert fetched.assignments == []
        assert len(fetched.gone) == 2
    assert _node(board).slots_in_use == 1


def test_what_a_dead_instance_had_runs_again(board: Board) -> None:
    board.register()
    board.running("again")
    board.running("never", on_lost="fail")
    told = board.register("n", "i2", predecessors=["i0", "i"])
    assert (told.held, told.push) == ([], [])
    assert (board.state("again"), board.state("never")) == (TaskState.QUEUED, TaskState.LOST)
    assert _node(board).lost == 2
    assert sum(board.last.waiting.values()) == 1


def test_what_an_instance_had_that_may_live_is_left_to_its_lease(board: Board) -> None:
    board.register()
    board.running("a")
    told = board.register("n", "i2")
    assert told.held == []
    assert board.state("a") is TaskState.RUNNING


def test_what_is_decided_otherwise_is_stopped_or_forgotten(board: Board) -> None:
    board.register()
    done, old = board.running("done"), board.running("old")
    board.end(done)
    board.end(old, "cancelled")
    told = board.register(running=[old], results=[done])
    assert (told.stop, told.forget, told.keep) == ([old], [done], [])


def test_what_was_cancelled_meanwhile_is_cancelled_again(board: Board) -> None:
    board.register()
    key, arrived_never = board.running("a"), board.running("b")
    board.cancel("a", "b")
    told = board.register(running=[key])
    assert told.cancel == [key]
    assert told.held == [key]
    assert not board.view(arrived_never[0]).held


def test_what_the_store_never_heard_of_is_kept_by_the_node(board: Board) -> None:
    board.register()
    key = board.running("known")
    newer = (key[0], 5)
    told = board.register(running=[("ghost", 3)], results=[("shade", 1), newer])
    assert sorted(told.unknown) == [("ghost", 3), newer, ("shade", 1)]
    assert sorted(told.keep) == [("ghost", 3), newer, ("shade", 1)]


def test_totals_survive_everything(board: Board) -> None:
    board.register()
    board.end(board.running(), run_s=2.0)
    board.end(board.running(), "failed", run_s=1.0)
    _leave(board)
    board.one(HubStarted(hub_id="h"))
    board.register("n", "i2", predecessors=["i"], labels={"new": "label"})
    node = _node(board)
    assert (node.succeeded, node.failed, node.run_s) == (1, 1, 3.0)
    totals = board.store.stats().totals
    assert (totals["succeeded"], totals["failed"], totals["run_s"]) == (1, 1, 3.0)


# --- those that are gone ----------------------------------------------------------------------------------------------


def _go(board: Board, *node_ids: str) -> None:
    """Have nodes come and leave for good, a second after each other."""
    for node_id in node_ids:
        board.register(node_id)
        board.wait(1)
        _leave(board, node_id, gone=True)


def _sweep_all(board: Board) -> None:
    while board.sweep(batch=1).more:
        pass


def _known(board: Board) -> list[str]:
    return [node.id for node in board.store.nodes()]


def test_of_nodes_that_are_gone_the_last_ones_are_kept(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "KEPT_MAX", 2)
    _go(board, "e", "d", "c", "b", "a")
    board.register("here")
    board.wait(REMEMBERED_S + 1)
    _sweep_all(board)
    assert _known(board) == ["a", "b", "here"]
    assert board.store.node_spans("e", 0) == []
    assert len(board.store.node_spans("b", 0)) == 2


def test_a_node_that_may_resume_its_session_is_kept(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "KEPT_MAX", 0)
    _go(board, "a", "b")
    _sweep_all(board)
    assert _known(board) == ["a", "b"]


def test_nodes_that_an_operator_wishes_something_of_are_forgotten_last(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departed, "KEPT_MAX", 2)
    _go(board, "cordoned", "draining", "a", "b")
    board.one(NodeWish(node_id="cordoned", cordoned=True))
    board.one(NodeWish(node_id="draining", draining=True))
    board.wait(REMEMBERED_S + 1)
    _sweep_all(board)
    assert _known(board) == ["cordoned", "draining"]
    _go(board, "c")
    board.one(NodeWish(node_id="c", cordoned=True))
    board.wait(REMEMBERED_S + 1)
    _sweep_all(board)
    assert _known(board) == ["c", "draining"]


def test_the_totals_of_nodes_that_are_forgotten_stay(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "KEPT_MAX", 0)
    board.register()
    board.end(board.running("a"), run_s=3.0)
    board.end(board.running("b"), "failed", run_s=4.0)
    _leave(board, gone=True)
    before = board.store.stats().totals
    assert (before["succeeded"], before["failed"], before["run_s"]) == (1, 1, 7.0)
    board.wait(REMEMBERED_S + 1)
    _sweep_all(board)
    assert _known(board) == []
    assert board.store.stats().totals == before
    board.register()
    board.end(board.running("c"))
    assert board.store.stats().totals["succeeded"] == 2


def test_a_node_that_may_still_run_something_is_not_forgotten(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "KEPT_MAX", 0)
    board.register()
    board.running("a")
    _leave(board)
    board.wait(REMEMBERED_S + 1)
    board.sweep(gone_after_s=1)
    _sweep_all(board)
    assert _node(board).state == "gone"
    board.release(Silence("n", "i", 1e6))
    _sweep_all(board)
    assert _known(board) == []
