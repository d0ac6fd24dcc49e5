"""Attempts: each that is over and did not succeed is kept, the newest one stands in the task itself."""

from __future__ import annotations

import pytest

from hub.decisions.retry import RetryPolicy
from hub.store.attempts import Silence
from hub.store.history import AttemptView
from hub.store.nodes import NodeLeft
from hub.store.sqlite import attempts
from protocol.frames import TaskError
from tests.hub.store.board import START_S, Board, offer

TWICE = RetryPolicy(max_attempts=2, initial_s=0)


def _attempts(board: Board, task_id: str = "a") -> list[AttemptView]:
    found = board.store.attempts(task_id)
    assert found is not None
    return found


def _outcomes(board: Board, task_id: str = "a") -> list[tuple[int, str | None]]:
    return [(attempt.attempt, attempt.outcome) for attempt in _attempts(board, task_id)]


def test_a_task_without_attempts_has_none_and_one_that_is_not_there_is_not_there(board: Board) -> None:
    board.put("a")
    assert _attempts(board) == []
    assert board.store.attempts("nobody") is None


def test_the_attempt_that_runs_and_the_one_that_succeeded_stand_alone(board: Board) -> None:
    key = board.running("a")
    (runs,) = _attempts(board)
    assert (runs.attempt, runs.node, runs.started_at, runs.ended_at, runs.outcome) == (1, "n", START_S, None, None)
    board.wait(3)
    board.end(key, run_s=2.5, ended_at=START_S + 2.9)
    (done,) = _attempts(board)
    assert (done.outcome, done.ended_at, done.run_s, done.error) == ("succeeded", START_S + 2.9, 2.5, None)


def test_what_failed_stays_beside_what_comes_after_it(board: Board) -> None:
    board.end(board.running("a", retry=TWICE), "failed", run_s=1.5, ended_at=START_S + 2)
    assert _outcomes(board) == [(1, "failed")]
    board.wait(5)
    board.claim(offer(1, "m", "j"))
    first, second = _attempts(board)
    assert (first.node, first.started_at, first.ended_at, first.run_s) == ("n", START_S, START_S + 2, 1.5)
    assert first.error == TaskError(kind="error", message="broke")
    assert (second.attempt, second.node, second.started_at, second.outcome) == (2, "m", START_S + 5, None)
    board.end(("a", 2), node_id="m")
    assert _outcomes(board) == [(1, "failed"), (2, "succeeded")]
    assert _attempts(board)[1].error is None


def test_a_task_that_is_run_again_on_a_wish_keeps_its_attempts(board: Board) -> None:
    board.end(board.running("a"), "failed")
    board.revive("a")
    assert _outcomes(board) == [(1, "failed")]
    board.claim()
    assert _outcomes(board) == [(1, "failed"), (2, None)]


def test_a_lost_attempt_says_why(board: Board) -> None:
    board.register()
    board.running("a")
    board.running("b", on_lost="fail")
    board.wait(400)
    board.release(Silence("n", "i", 400.0))
    for task_id in ("a", "b"):
        (lost,) = _attempts(board, task_id)
        assert (lost.outcome, lost.ended_at, lost.run_s) == ("lost", START_S + 400, None)
        assert lost.error is not None
        assert "attempt 1 on node n: nothing was heard of it for 400 s" in lost.error.message


def test_a_cancelled_attempt_ends_when_its_node_has_stopped(board: Board) -> None:
    key = board.running("a")
    board.wait(1)
    board.cancel("a")
    (told,) = _attempts(board)
    assert (told.outcome, told.ended_at, told.run_s) == ("cancelled", START_S + 1, None)
    board.end(key, "cancelled", run_s=1.25, ended_at=START_S + 1.5)
    (ended,) = _attempts(board)
    assert (ended.outcome, ended.ended_at, ended.run_s, ended.error) == ("cancelled", START_S + 1.5, 1.25, None)


def test_an_attempt_whose_node_left_before_it_began_came_back(board: Board) -> None:
    board.register()
    board.running("a")
    board.one(NodeLeft(node_id="n", instance_id="i", session_id="s", reason="bye", gone=True))
    board.claim()
    assert _outcomes(board) == [(1, "returned"), (2, None)]


def test_a_task_that_succeeds_leaves_no_row_behind(board: Board) -> None:
    board.end(board.running("a"))
    board.end(board.running("b", retry=TWICE), "failed")
    board.claim()
    board.end(("b", 2))
    assert _outcomes(board, "a") == [(1, "succeeded")]
    assert _outcomes(board, "b") == [(1, "failed"), (2, "succeeded")]


def test_of_many_attempts_the_last_are_kept(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "KEPT_PER_TASK_MAX", 3)
    board.put("a", retry=RetryPolicy(max_attempts=9, initial_s=0))
    for number in range(1, 7):
        board.claim()
        board.end(("a", number), "failed")
    assert [attempt.attempt for attempt in _attempts(board)] == [4, 5, 6]


def test_a_long_traceback_is_cut_at_its_beginning(board: Board) -> None:
    error = TaskError(kind="error", traceback="x" * 9000 + "the end")
    board.end(board.running("a"), "failed", error=error)
    (kept,) = _attempts(board)
    assert kept.error is not None
    assert len(kept.error.traceback) == attempts.TRACEBACK_CHARACTERS_KEPT
    assert kept.error.traceback.endswith("xthe end")
    assert board.view("a").error == error


def test_attempts_go_with_their_task(board: Board) -> None:
    board.end(board.running("a"), "failed")
    board.wait(10)
    board.sweep(retention_s=5)
    assert board.store.attempts("a") is None
    board.put("a")
    assert _attempts(board) == []
