"""What time brings, by the clock that it concerns, in small batches."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hub.decisions.lifecycle import TaskState
from hub.store.history import NoteSample
from hub.store.sqlite import classes, tokens
from hub.store.tokens import PutToken, TokenRow
from tests.hub.decisions.test_samples import sample
from tests.hub.store.board import START_S, Board, offer


def test_a_delayed_task_is_queued_when_it_is_due(board: Board) -> None:
    board.put("a", delay_s=5.0)
    assert board.sweep().next_due_in_s == 5
    board.wait(4.9)
    assert board.sweep().due == 0
    board.wait(0.2)
    assert board.sweep().due == 1
    assert sum(board.last.waiting.values()) == 1
    assert board.claimed() == ["a"]


def test_delays_ignore_jumps_of_the_wall_clock_and_named_times_follow_it(board: Board) -> None:
    board.put("delay", delay_s=100.0)
    board.put("named", not_before=START_S + 100)
    board.wall_s += 86_400
    assert board.sweep().due == 1
    assert board.claimed() == ["named"]
    board.wall_s -= 2 * 86_400
    board.steady_s += 100
    assert board.sweep().due == 1
    assert board.claimed() == ["delay"]


def test_a_task_with_two_waits_waits_for_the_later(board: Board) -> None:
    board.put("a", delay_s=10.0, not_before=START_S + 5)
    board.put("b", delay_s=5.0, not_before=START_S + 10)
    board.put("c", not_before=START_S - 1)
    assert board.claimed() == ["c"]
    board.wait(6)
    assert board.sweep().due == 0
    board.wait(4)
    assert board.sweep().due == 2


def test_deadlines_pass_wherever_a_task_waits(board: Board) -> None:
    board.put("queued", "unknown", deadline=START_S + 5)
    board.put("scheduled", delay_s=50.0, deadline=START_S + 5)
    board.put("open", concurrency_key="k")
    board.put("parked", concurrency_key="k", deadline=START_S + 5)
    running, _ = board.running("running", priority=1, deadline=START_S + 5)
    assert board.sweep().next_due_in_s == 5
    board.wait(5)
    swept = board.sweep()
    assert (swept.expired, swept.next_due_in_s) == (3, None)
    assert [board.state(name) for name in ("queued", "scheduled", "parked")] == ["expired"] * 3
    assert (board.state("open"), board.state(running)) == (TaskState.QUEUED, TaskState.RUNNING)


def test_due_tasks_move_in_batches(board: Board) -> None:
    board.submit(*[board.new(delay_s=1.0) for _ in range(5)])
    board.wait(1)
    first, second, third = (board.sweep(batch=2) for _ in range(3))
    assert [(swept.due, swept.more) for swept in (first, second, third)] == [(2, True), (2, True), (1, False)]


def test_finished_tasks_are_removed_when_they_are_old(board: Board) -> None:
    board.end(board.running("old"))
    board.wait(50)
    board.end(board.running("young"))
    board.put("waiting")
    board.wait(51)
    assert board.sweep(retention_s=100).removed == 1
    assert board.store.task("old") is None
    assert board.state("young") is TaskState.SUCCEEDED
    assert board.state("waiting") is TaskState.QUEUED
    assert board.store.stats().tasks["succeeded"] == 1


def test_finished_tasks_beyond_the_count_are_removed_oldest_first(board: Board) -> None:
    for number in range(6):
        board.end(board.running(f"t{number}"))
        board.wait(1)
    swept = board.sweep(retention_count=2, batch=3)
    assert (swept.removed, swept.more) == (3, True)
    swept = board.sweep(retention_count=2, batch=3)
    assert (swept.removed, swept.more) == (1, False)
    assert [board.store.task(f"t{number}") is None for number in range(6)] == [True] * 4 + [False] * 2


def test_a_jump_of_the_wall_clock_removes_nothing(board: Board) -> None:
    board.end(board.running("a"))
    board.wall_s += 1e6
    assert board.sweep(retention_s=100).removed == 0


def test_what_is_still_held_is_not_removed(board: Board) -> None:
    key = board.running("a")
    board.cancel("a")
    board.wait(1000)
    assert board.sweep(retention_s=100, retention_count=0).removed == 0
    board.end(key, "cancelled")
    assert board.sweep(retention_s=100, retention_count=0).removed == 1


def test_a_removed_idempotency_key_may_be_used_again(board: Board) -> None:
    board.submit(board.new("a", idempotency_key="k"))
    board.cancel("a")
    board.wait(10)
    board.sweep(retention_s=5)
    assert not board.submit(board.new("b", idempotency_key="k")).accepted[0].existing


def test_nothing_to_do_is_said_and_costs_no_commit(board: Board) -> None:
    board.put("a")
    before = board.store.stats().last_event_id
    swept = board.sweep()
    assert (swept.due, swept.expired, swept.removed, swept.more, swept.next_due_in_s) == (0, 0, 0, False, None)
    assert board.store.stats().last_event_id == before


@pytest.mark.parametrize("clock", ["delay_s", "not_before"])
def test_what_is_overdue_is_due_at_once(board: Board, clock: str) -> None:
    options: dict[str, Any] = {clock: 5.0 if clock == "delay_s" else START_S + 5}
    board.put("a", **options)
    board.put("b", **options)
    board.wait(60)
    assert board.sweep(batch=1).next_due_in_s == 0.0


# --- the steady clock -------------------------------------------------------------------------------------------------


def test_the_newest_time_that_is_stored_is_known(board: Board) -> None:
    assert board.store.last_steady_s() == 0
    board.steady_s += 10
    board.put("a")
    assert board.store.last_steady_s() == board.steady_s
    board.steady_s += 10
    board.wall_s -= 86_400
    board.one(NoteSample(sample=sample(board.wall_s)))
    assert board.store.last_steady_s() == board.steady_s


# --- classes of tasks -------------------------------------------------------------------------------------------------


def _classes(board: Board) -> set[str]:
    found = board.store._reader.execute("SELECT target || name || requires FROM classes")  # type: ignore[attr-defined]
    return {text for (text,) in found}


def _put_of_their_own(board: Board, *names: str) -> None:
    for name in names:
        board.put(f"for-{name}", name=name, node=f"node-{name}")
        board.put(f"any-{name}", name=name)


def _end_all(board: Board, *names: str) -> None:
    for name in names:
        board.cancel(f"for-{name}", f"any-{name}")


def test_classes_that_no_task_has_any_more_are_removed_where_they_are_many(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "STORED_MAX", 3)
    board.sweep()
    _put_of_their_own(board, "a", "b", "c", "d")
    assert len(_classes(board)) == 8
    _end_all(board, "a", "b", "d")
    board.sweep(retention_s=0)
    assert len(_classes(board)) == 8
    board.wait(classes.UNUSED_EVERY_S)
    while board.sweep(retention_s=0).removed:
        pass
    board.wait(classes.UNUSED_EVERY_S)
    board.sweep()
    # The outermost stay, so that no number is given twice.
    assert {text.strip("[]") for text in _classes(board)} == {"node-cc", "c", "node-dd", "d"}
    assert board.claimed(offer(node_id="node-c", handlers=["c"], free=2)) == ["for-c", "any-c"]


def test_a_class_that_was_removed_comes_back_with_its_next_task(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "STORED_MAX", 0)
    _put_of_their_own(board, "a", "b")
    _end_all(board, "a")
    board.wait(1)
    board.sweep(retention_s=0)
    board.wait(classes.UNUSED_EVERY_S)
    board.sweep()
    _put_of_their_own(board, "a")
    assert board.claimed(offer(node_id="node-a", handlers=["a", "b"], free=3)) == ["any-b", "for-a", "any-a"]
    assert board.view("any-a").name == "a"
    assert board.view("for-b").name == "b"


def test_few_classes_are_kept(board: Board) -> None:
    _put_of_their_own(board, "a", "b")
    _end_all(board, "a", "b")
    board.wait(1)
    board.sweep(retention_s=0)
    board.wait(classes.UNUSED_EVERY_S)
    board.sweep()
    assert len(_classes(board)) == 4


# --- tokens -----------------------------------------------------------------------------------------------------------


def _give_tokens(board: Board, **expire_in_s: float | None) -> None:
    for number, (token_id, left_s) in enumerate(expire_in_s.items()):
        expires_at = None if left_s is None else board.wall_s + left_s
        digest = token_id.encode()
        token = TokenRow(
            token_id=token_id, name="", role="read", digest=digest, created_at=START_S + number, expires_at=expires_at
        )
        board.one(PutToken(token=token))


def _revoke(board: Board, token_id: str) -> None:
    (token,) = (token for token in board.store.tokens() if token.token_id == token_id)
    board.one(PutToken(token=replace(token, revoked_at=board.wall_s)))


def _tokens(board: Board) -> list[str]:
    return [token.token_id for token in board.store.tokens()]


def test_tokens_that_ended_are_listed_for_a_while(board: Board) -> None:
    _give_tokens(board, expires=10.0, revoked=None, good=None)
    _revoke(board, "revoked")
    board.wait(11)
    board.sweep()
    board.wait(tokens.ENDED_KEPT_S - 1)
    board.sweep()
    assert _tokens(board) == ["expires", "revoked", "good"]
    board.wait(1)
    board.sweep()
    assert _tokens(board) == ["good"]


def test_the_newest_token_stays_whatever_has_become_of_it(board: Board) -> None:
    _give_tokens(board, older=10.0, newest=10.0)
    board.wait(11)
    board.sweep()
    board.wait(tokens.ENDED_KEPT_S)
    board.sweep()
    assert _tokens(board) == ["newest"]


def test_a_token_that_seemed_to_have_ended_while_the_time_was_wrong_stays(board: Board) -> None:
    _give_tokens(board, a=2 * 86_400.0, b=None)
    board.wall_s += 365 * 86_400
    board.sweep()
    board.wall_s = START_S
    board.steady_s += tokens.ENDED_KEPT_S
    board.sweep()
    assert _tokens(board) == ["a", "b"]
    # From now on it is as if nothing had been.
    board.wait(3 * 86_400)
    board.sweep()
    board.wait(tokens.ENDED_KEPT_S - 1)
    board.sweep()
    assert _tokens(board) == ["a", "b"]
    board.wait(1)
    board.sweep()
    assert _tokens(board) == ["b"]
