"""Groups of errors: every attempt that ends badly counts in one, and a task that succeeds writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hub.decisions.retry import RetryPolicy
from hub.store.attempts import Silence
from hub.store.history import ErrorGroup
from hub.store.sqlite import errors
from protocol.frames import TaskError
from tests.hub.store.board import START_S, Board, result

TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/app/tasks.py", line 7, in run\nValueError: no 5\n'


def _error(message: str = "no 5", **more: Any) -> TaskError:
    return TaskError(kind="error", message=message, type="ValueError", traceback=TRACEBACK, **more)


def _one(board: Board) -> ErrorGroup:
    (group,) = board.store.errors(10)
    return group


def test_errors_that_are_alike_are_one_group_with_its_first_and_last(board: Board) -> None:
    board.end(board.running("a"), "failed", error=_error("no 5"))
    board.wait(10)
    board.end(board.running("b"), "failed", error=_error("no 99"))
    group = _one(board)
    assert (group.name, group.kind, group.type) == ("work", "error", "ValueError")
    assert (group.message, group.place) == ("no #", "srv/app/tasks.py:7 in run")
    assert (group.count, group.first_at, group.last_at, group.last_task_id) == (2, START_S, START_S + 10, "b")


def test_errors_of_one_operation_are_counted_together(board: Board) -> None:
    keys = [board.running() for _ in range(5)]
    board.record(*[result(key, "failed", error=_error()) for key in keys])
    assert _one(board).count == 5


def test_each_attempt_that_failed_counts_also_if_it_is_tried_again(board: Board) -> None:
    key = board.running("a", retry=RetryPolicy(max_attempts=2, initial_s=0))
    board.end(key, "failed", error=_error())
    board.claim()
    board.end(("a", 2), "failed", error=_error())
    assert _one(board).count == 2


def test_the_last_group_that_was_seen_comes_first(board: Board) -> None:
    for name in ("first", "second", "first"):
        board.wait(1)
        board.end(board.running(name=name), "failed", error=_error())
    assert [(group.name, group.count) for group in board.store.errors(10)] == [("first", 2), ("second", 1)]
    assert [group.name for group in board.store.errors(1)] == ["first"]


def test_losses_and_deadlines_that_passed_have_groups_of_their_own(board: Board) -> None:
    board.register()
    board.running("a")
    board.running("b", on_lost="fail")
    board.release(Silence("n", "i", 1e6))
    board.put("c", deadline=START_S + 1)
    board.wait(2)
    board.sweep()
    found = {group.kind: group for group in board.store.errors(10)}
    assert {kind: group.count for kind, group in found.items()} == {"lost": 2, "expired": 1}
    assert found["lost"].message.startswith("attempt # on node n: nothing was heard of it for # s")


def test_what_was_cancelled_or_succeeded_is_no_error(board: Board) -> None:
    board.end(board.running("a"))
    board.running("b")
    board.cancel("b")
    assert board.store.errors(10) == []


def test_groups_beyond_the_count_go_those_first_that_were_not_seen_for_longest(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "KEPT_MAX", 2)
    for number in range(5):
        board.wait(1)
        board.end(board.running(name=f"name{number}"), "failed", error=_error())
    while board.sweep(batch=1).more:
        pass
    assert [group.name for group in board.store.errors(10)] == ["name4", "name3"]
