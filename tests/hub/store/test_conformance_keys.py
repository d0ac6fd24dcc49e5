"""Concurrency keys: never more attempts at once than the limit, nothing left behind, nothing in the way of others."""

from __future__ import annotations

from typing import Any

from hub.decisions.lifecycle import TaskState
from hub.store.assignments import Claim
from hub.store.attempts import Silence
from hub.store.submissions import Submit
from tests.hub.store.board import Board, offer, result


def _keyed(board: Board, count: int, limit: int = 1, name: str = "work", **options: Any) -> list[str]:
    tasks = [board.new("", name, concurrency_key="k", concurrency_limit=limit, **options) for _ in range(count)]
    return [item.task_id for item in board.submit(*tasks).accepted]


def test_only_as_many_attempts_run_as_the_key_allows(board: Board) -> None:
    tasks = _keyed(board, 5, limit=2)
    assert board.claimed(offer(9)) == tasks[:2]
    assert board.claimed(offer(9)) == []
    recorded = board.record(result((tasks[0], 1)), offers=[offer(9)])
    assert [item.task_id for item in recorded.assignments] == [tasks[2]]


def test_a_full_key_is_still_queued_for_everyone_outside(board: Board) -> None:
    tasks = _keyed(board, 3)
    assert [board.state(task_id) for task_id in tasks] == ["queued"] * 3
    assert board.store.stats().tasks["queued"] == 3
    place = board.store.queue_place(tasks[2])
    assert place is not None
    assert (place.position, place.concurrency_holders) == (2, 0)


def test_every_way_to_end_an_attempt_frees_its_key(board: Board) -> None:
    tasks = _keyed(board, 5, retry={"max_attempts": 1})
    assert board.claimed() == [tasks[0]]
    board.end((tasks[0], 1))
    assert board.claimed() == [tasks[1]]
    board.end((tasks[1], 1), "failed")
    assert board.claimed() == [tasks[2]]
    board.cancel(tasks[2])
    assert board.claimed() == []
    board.end((tasks[2], 1), "cancelled")
    assert board.claimed() == [tasks[3]]
    board.release(Silence("n", "i", 1e6))
    assert board.claimed() == [tasks[3]]
    board.register("n", "i2", predecessors=["i"])
    assert board.claimed(offer(instance_id="i2")) == [tasks[3]]


def test_what_moves_up_is_told_as_waiting(board: Board) -> None:
    first, _ = _keyed(board, 2)
    assert board.claimed() == [first]
    assert board.last.waiting == {}
    board.end((first, 1))
    assert sum(board.last.waiting.values()) == 1


def test_a_cancelled_or_expired_task_leaves_its_place_to_the_next(board: Board) -> None:
    first, second, third = _keyed(board, 3)
    board.cancel(first)
    assert board.claimed() == [second]
    board.cancel(second)
    board.end((second, 1), "cancelled")
    board.wait(1)
    assert board.claimed() == [third]


def test_an_expired_task_leaves_its_place_to_the_next(board: Board) -> None:
    (first,) = _keyed(board, 1, deadline=board.wall_s + 5)
    (second,) = _keyed(board, 1)
    board.wait(6)
    assert board.sweep().expired == 1
    assert board.state(first) is TaskState.EXPIRED
    assert board.claimed() == [second]


def test_the_most_urgent_goes_first_whatever_was_there_before(board: Board) -> None:
    low = board.put(concurrency_key="k")
    high = board.put(concurrency_key="k", priority=5)
    assert board.claimed(offer(9)) == [high]
    board.end((high, 1))
    assert board.claimed(offer(9)) == [low]


def test_a_task_that_no_node_can_run_does_not_hold_up_its_key(board: Board) -> None:
    _keyed(board, 3, name="unknown", priority=9)
    (runnable,) = _keyed(board, 1)
    assert board.claimed(offer(9)) == [runnable]
    board.end((runnable, 1))
    (another,) = _keyed(board, 1)
    assert board.claimed(offer(9)) == [another]


def test_two_classes_with_one_key_never_run_together(board: Board) -> None:
    (first,) = _keyed(board, 1)
    (second,) = _keyed(board, 1, name="other")
    both = offer(9, handlers=("work", "other"))
    assert board.claimed(both) == [first]
    assert board.claimed(both) == []
    board.end((first, 1))
    assert board.claimed(both) == [second]


def test_thousands_of_parked_tasks_leave_the_queue_to_the_others(board: Board) -> None:
    tasks = _keyed(board, 2000)
    free = board.put()
    assert board.claimed(offer(9)) == [tasks[0], free]


def test_each_task_counts_with_its_own_limit(board: Board) -> None:
    (narrow,) = _keyed(board, 1, limit=1)
    wide = _keyed(board, 3, limit=3)
    assert board.claimed(offer(9)) == [narrow, *wide[:2]]
    board.end((narrow, 1))
    assert board.claimed(offer(9)) == [wide[2]]


def test_a_delayed_task_takes_its_place_only_when_it_is_due(board: Board) -> None:
    (late,) = _keyed(board, 1, delay_s=5.0)
    (first,) = _keyed(board, 1)
    assert board.claimed(offer(9)) == [first]
    board.wait(5)
    assert board.sweep().due == 1
    assert board.claimed(offer(9)) == []
    board.end((first, 1))
    assert board.claimed(offer(9)) == [late]


def test_a_retry_goes_behind_the_key_of_others(board: Board) -> None:
    first, second = _keyed(board, 2, retry={"max_attempts": 2, "initial_s": 0.0})
    assert board.claimed() == [first]
    board.end((first, 1), "failed")
    assert board.claimed(offer(9)) == [first]
    board.end((first, 2))
    assert board.claimed(offer(9)) == [second]


def test_submits_and_claims_of_one_transaction_count_together(board: Board) -> None:
    tasks = [board.new(concurrency_key="k") for _ in range(3)]
    submitted, claimed = board.run(Submit(tasks=tasks, offers=[offer(2)]), Claim(offers=[offer(2)]))
    assert len(submitted.assignments) == 1  # type: ignore[attr-defined]
    assert claimed.assignments == []  # type: ignore[attr-defined]
