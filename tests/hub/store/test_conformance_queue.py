"""Accepting tasks and giving them out: who is first, who may, and what a repeated submit does."""

from __future__ import annotations

from typing import Any

import pytest

from hub.decisions.lifecycle import TaskState
from hub.store.assignments import Claim
from hub.store.nodes import HubStarted, NodeLeft
from hub.store.submissions import Broadcast, Broadcasted, Submit
from hub.store.task_views import TaskFilter
from hub.store.tasks import TaskClass
from hub.store.wishes import NodeWish
from tests.hub.store.board import START_S, Board, ids, offer


def test_a_submitted_task_is_queued_and_can_be_read_back(board: Board) -> None:
    task = board.new("a", payload=b'{"x": 1}', priority=7, requires={"gpu": "h100"}, labels={"l": "v"}, origin="me")
    submitted = board.submit(task)
    assert [(item.task_id, item.state, item.existing) for item in submitted.accepted] == [("a", "queued", False)]
    view = board.view("a")
    assert (view.payload, view.priority, view.requires) == (b'{"x": 1}', 7, {"gpu": "h100"})
    assert (view.labels, view.origin, view.submitted_at) == ({"l": "v"}, "me", START_S)
    assert view.options == task.options


def test_a_payload_keeps_its_bytes(board: Board) -> None:
    for size, payload in enumerate(
        (b'{ "a" :  1.50, "b": "\\u00e9 \xc3\xa9 \\" \\n" }', b'{"x":"' + b"y" * 200_000 + b'"}')
    ):
        (assignment,) = board.submit(board.new(f"fresh{size}", payload=payload), offers=[offer()]).assignments
        assert assignment.payload == payload
        board.submit(board.new(f"stored{size}", payload=payload))
        (assignment,) = board.claim()
        assert assignment.payload == payload


def test_an_offered_slot_is_filled_in_the_same_commit(board: Board) -> None:
    task = board.new("a", timeout_s=9.0, lease_s=70.0)
    submitted = board.submit(task, offers=[offer(node_id="n7", instance_id="i7")])
    assert submitted.accepted[0].state is TaskState.RUNNING
    (assignment,) = submitted.assignments
    assert (assignment.task_id, assignment.attempt, assignment.name) == ("a", 1, "work")
    assert (assignment.node_id, assignment.instance_id) == ("n7", "i7")
    assert (assignment.timeout_s, assignment.lease_s) == (9.0, 70.0)
    assert board.last.waiting == {}
    view = board.view("a")
    assert (view.state, view.node, view.attempt, view.held) == (TaskState.RUNNING, "n7", 1, True)


def test_an_offer_is_filled_until_its_bytes_are_reached_and_always_with_one(board: Board) -> None:
    for _ in range(6):
        board.put(payload=b" " * 100)
    assert len(board.claim(offer(6, bytes_max=1))) == 1
    assert len(board.claim(offer(6, bytes_max=100))) == 1
    # Others are filled beside it.
    assigned = board.claim(offer(6, bytes_max=101), offer(6, "m", bytes_max=1000))
    assert sorted(item.node_id for item in assigned) == ["m", "m", "n", "n"]


def test_a_submitted_task_beyond_an_offers_bytes_is_queued(board: Board) -> None:
    submitted = board.submit(*(board.new(payload=b" " * 100) for _ in range(3)), offers=[offer(3, bytes_max=150)])
    assert [item.state for item in submitted.accepted] == ["running", "running", "queued"]
    assert board.last.waiting == {TaskClass("work"): 1}


def test_an_older_task_goes_before_a_submitted_one(board: Board) -> None:
    board.put("old")
    submitted = board.submit(board.new("new"), offers=[offer()])
    assert [item.task_id for item in submitted.assignments] == ["old"]
    assert submitted.accepted[0].state is TaskState.QUEUED
    assert board.last.waiting == {TaskClass("work"): 1}


def test_a_more_urgent_submitted_task_goes_before_an_older_one(board: Board) -> None:
    board.put("old")
    submitted = board.submit(board.new("new", priority=1), offers=[offer()])
    assert [item.task_id for item in submitted.assignments] == ["new"]


def test_priority_counts_among_the_submitted_ones(board: Board) -> None:
    tasks = [board.new("low", priority=-1), board.new("first"), board.new("second"), board.new("high", priority=1)]
    submitted = board.submit(*tasks, offers=[offer(3)])
    assert [item.task_id for item in submitted.assignments] == ["high", "first", "second"]
    assert [item.state for item in submitted.accepted] == ["queued", "running", "running", "running"]


def test_highest_priority_goes_first_then_first_come_across_classes(board: Board) -> None:
    board.put("a", "work")
    board.put("b", "other", priority=1)
    board.put("c", "work", priority=1)
    board.put("d", "other")
    both = offer(4, handlers=("work", "other"))
    assert board.claimed(both) == ["b", "c", "a", "d"]


def test_long_lines_keep_their_order(board: Board) -> None:
    tasks = [board.new(f"t{number:04d}", priority=number % 3) for number in range(1500)]
    board.submit(*tasks)
    expected = [task.task_id for task in sorted(tasks, key=lambda task: -task.options.priority)]
    assert board.claimed(offer(1500)) == expected


def test_tasks_that_no_node_can_run_do_not_block_the_others(board: Board) -> None:
    board.submit(*[board.new(f"x{number}", "unknown", priority=9) for number in range(50)])
    board.submit(*[board.new(f"y{number}", requires={"gpu": "none"}, priority=9) for number in range(50)])
    board.submit(*[board.new(f"z{number}", node="elsewhere", priority=9) for number in range(50)])
    board.put("fits")
    assert board.claimed(offer(10)) == ["fits"]


def test_requirements_must_all_be_met(board: Board) -> None:
    board.put("a", requires={"gpu": "h100", "site": "berlin"})
    assert board.claimed(offer(labels={"gpu": "h100"})) == []
    assert board.claimed(offer(labels={"gpu": "h100", "site": "berlin", "more": "x"})) == ["a"]


def test_a_task_for_one_node_goes_to_no_other(board: Board) -> None:
    board.put("a", node="n2")
    assert board.claimed(offer(node_id="n1")) == []
    assert board.claimed(offer(node_id="n2")) == ["a"]


def test_no_task_is_given_twice_and_offers_take_turns(board: Board) -> None:
    board.submit(*[board.new(f"t{number}") for number in range(5)])
    offers = [offer(4, "n1", "i1"), offer(4, "n2", "i2")]
    assigned = board.claim(*offers)
    assert [(item.task_id, item.node_id) for item in assigned] == [
        ("t0", "n1"),
        ("t1", "n2"),
        ("t2", "n1"),
        ("t3", "n2"),
        ("t4", "n1"),
    ]
    assert board.claim(*offers) == []


def test_nodes_that_serve_different_classes_share_the_common_ones(board: Board) -> None:
    board.submit(board.new("a0", "a"), board.new("b0", "b"), board.new("a1", "a"), board.new("b1", "b"))
    only_a, both = offer(4, "n1", "i1", ("a",)), offer(4, "n2", "i2", ("a", "b"))
    assigned = board.claim(only_a, both)
    assert [(item.task_id, item.node_id) for item in assigned] == [
        ("a0", "n1"),
        ("b0", "n2"),
        ("a1", "n1"),
        ("b1", "n2"),
    ]


def test_offers_of_different_operations_are_answered_apart(board: Board) -> None:
    board.submit(*[board.new(f"t{number}") for number in range(2)])
    first, second = board.run(Claim(offers=[offer(1, "n1", "i1")]), Claim(offers=[offer(3, "n2", "i2")]))
    assert [item.node_id for item in first.assignments] == ["n1"]  # type: ignore[attr-defined]
    assert [item.node_id for item in second.assignments] == ["n2"]  # type: ignore[attr-defined]


def test_what_is_queued_and_not_assigned_is_counted_as_waiting(board: Board) -> None:
    board.submit(board.new(), board.new(), board.new(requires={"a": "b"}), offers=[offer(1)])
    assert board.last.waiting == {TaskClass("work"): 1, TaskClass("work", (("a", "b"),)): 1}
    board.run(Submit(tasks=[board.new("late")]), Claim(offers=[offer(9)]))
    assert board.last.waiting == {}


def test_a_repeated_id_gives_the_task_that_was_there_first(board: Board) -> None:
    board.submit(board.new("a", payload=b'{"v":1}'), offers=[offer()])
    again = board.submit(board.new("a", payload=b'{"v":2}'), offers=[offer()])
    assert [(item.task_id, item.state, item.existing) for item in again.accepted] == [("a", "running", True)]
    assert again.assignments == []
    assert board.view("a").payload == b'{"v":1}'


def test_a_repeated_id_in_one_submit_is_one_task(board: Board) -> None:
    submitted = board.submit(board.new("a"), board.new("a"), offers=[offer(2)])
    assert [item.existing for item in submitted.accepted] == [False, True]
    assert len(submitted.assignments) == 1


def test_a_repeated_idempotency_key_gives_the_task_that_was_there_first(board: Board) -> None:
    submitted = board.submit(board.new("a", idempotency_key="k"), board.new("b", idempotency_key="k"))
    assert [(item.task_id, item.existing) for item in submitted.accepted] == [("a", False), ("a", True)]
    again = board.submit(board.new("c", idempotency_key="k"))
    assert [(item.task_id, item.existing) for item in again.accepted] == [("a", True)]
    assert board.store.task("c") is None


def test_submits_of_one_transaction_are_answered_in_their_order(board: Board) -> None:
    first, second = board.run(
        Submit(tasks=[board.new("a"), board.new("b")]), Submit(tasks=[board.new("b"), board.new("c")], offers=[offer()])
    )
    assert ids(first.accepted) == ["a", "b"]  # type: ignore[attr-defined]
    assert [(item.task_id, item.existing) for item in second.accepted] == [("b", True), ("c", False)]  # type: ignore[attr-defined]
    assert [item.task_id for item in second.assignments] == ["a"]  # type: ignore[attr-defined]


def test_a_delayed_task_is_scheduled_and_takes_no_slot(board: Board) -> None:
    submitted = board.submit(board.new("a", delay_s=5.0), offers=[offer()])
    assert submitted.accepted[0].state is TaskState.SCHEDULED
    assert submitted.assignments == []
    assert board.view("a").due_at == START_S + 5


def test_a_task_whose_deadline_has_passed_expires_and_is_not_assigned(board: Board) -> None:
    submitted = board.submit(board.new("a", deadline=START_S - 1), offers=[offer()])
    assert submitted.accepted[0].state is TaskState.EXPIRED
    board.put("b", deadline=START_S + 5)
    board.put("c")
    board.wait(6)
    assert board.claimed(offer()) == ["c"]
    assert board.state("b") is TaskState.EXPIRED


def test_a_node_finds_its_task_among_many_classes(board: Board) -> None:
    board.submit(*[board.new(f"t{number:03d}", f"name{number}") for number in range(300)])
    board.submit(*[board.new(f"u{number:03d}", node=f"node{number}") for number in range(300)])
    assert board.claimed(offer(3, handlers=("name7", "name250"))) == ["t007", "t250"]
    assert board.claimed(offer(3, node_id="node123")) == ["u123"]


# --- one task for each node -------------------------------------------------------------------------------------------


def _broadcast(board: Board, group: str = "g", **options: Any) -> Broadcasted:
    answer = board.one(Broadcast(template=board.new(group, **options)))
    assert isinstance(answer, Broadcasted)
    return answer


def _fleet(board: Board) -> None:
    board.register("b", "ib", labels={"gpu": "h100"})
    board.register("a", "ia")
    board.register("other", "io", handlers=["else"])
    board.register("cordoned", "ic")
    board.one(NodeWish(node_id="cordoned", cordoned=True))
    board.register("draining", "id")
    board.one(NodeWish(node_id="draining", draining=True))


def test_a_broadcast_makes_one_task_for_each_node_that_can_serve_it(board: Board) -> None:
    _fleet(board)
    made = _broadcast(board)
    assert [(node_id, item.task_id, item.existing) for node_id, item in made.tasks] == [
        ("a", "g.a", False),
        ("b", "g.b", False),
    ]
    assert sum(board.last.waiting.values()) == 2
    assert board.claimed(offer(9, "b", "ib")) == ["g.b"]
    assert board.view("g.a").group == "g"
    assert [view.id for view in board.store.tasks(TaskFilter(group="g"), 10, None).tasks] == ["g.b", "g.a"]


def test_a_broadcast_with_requirements_reaches_only_those_that_meet_them(board: Board) -> None:
    _fleet(board)
    assert [node_id for node_id, _ in _broadcast(board, requires={"gpu": "h100"}).tasks] == ["b"]
    assert _broadcast(board, "h", node="a").tasks[0][0] == "a"
    assert _broadcast(board, "i", requires={"gpu": "none"}).tasks == []


@pytest.mark.parametrize("options", [{}, {"idempotency_key": "k"}])
def test_a_repeated_broadcast_gives_the_tasks_that_were_made_first(board: Board, options: dict[str, Any]) -> None:
    _fleet(board)
    _broadcast(board, **options)
    board.register("late", "il")
    again = _broadcast(board, "g" if not options else "other-group", **options)
    assert [(node_id, item.task_id, item.existing) for node_id, item in again.tasks] == [
        ("a", "g.a", True),
        ("b", "g.b", True),
    ]


def test_a_broadcast_reaches_those_too_that_a_restart_of_the_hub_cut_off(board: Board) -> None:
    board.register("a", "ia")
    board.register("away", "iw")
    board.one(NodeLeft(node_id="away", instance_id="iw", session_id="s", reason="asleep"))
    board.register("b", "ib")
    board.one(HubStarted(hub_id="h"))
    assert [node_id for node_id, _ in _broadcast(board).tasks] == ["a", "b"]
    board.register("b", "ib")
    board.one(NodeLeft(node_id="b", instance_id="ib", session_id="s", reason="asleep"))
    assert [node_id for node_id, _ in _broadcast(board, "h").tasks] == ["a"]


def test_a_broadcast_id_that_would_be_too_long_is_cut_and_stays_apart(board: Board) -> None:
    board.register("n" * 100 + "1", "i1")
    board.register("n" * 100 + "2", "i2")
    made = [item.task_id for _, item in _broadcast(board, "g" * 100).tasks]
    assert len(set(made)) == 2
    assert all(len(task_id) <= 128 for task_id in made)
