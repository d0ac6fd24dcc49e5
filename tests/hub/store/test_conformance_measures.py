"""What a commit tells about the times of tasks: how long they waited for a node, and how long they ran."""

from __future__ import annotations

from hub.decisions.retry import RetryPolicy
from tests.hub.store.board import Board, offer, result


def test_a_task_that_found_a_slot_at_once_has_not_waited(board: Board) -> None:
    board.submit(board.new(name="work"), offers=[offer()])
    assert board.last.waits == [("work", 0.0)]
    assert board.last.accepted == 1


def test_a_task_that_was_queued_has_waited_since_its_submit(board: Board) -> None:
    board.put(name="work")
    assert (board.last.waits, board.last.accepted) == ([], 1)
    board.wait(7)
    board.claim()
    assert board.last.waits == [("work", 7.0)]
    assert board.last.accepted == 0


def test_a_later_attempt_and_a_task_that_was_told_to_wait_say_nothing_about_the_queue(board: Board) -> None:
    key = board.running(retry=RetryPolicy(max_attempts=2))
    board.put(delay_s=5)
    board.record(result(key, outcome="failed"))
    board.wait(10)
    board.sweep()
    board.claim()
    assert board.last.waits == []


def test_a_settled_result_tells_its_run_time_once(board: Board) -> None:
    key = board.running(name="work")
    board.record(result(key, run_s=2.5))
    assert board.last.runs == [("work", 2.5)]
    board.record(result(key, run_s=2.5))
    assert board.last.runs == []
