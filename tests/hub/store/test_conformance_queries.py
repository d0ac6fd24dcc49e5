"""What people ask: lists, places, counts, events, tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.decisions.lifecycle import TaskState
from hub.store.contract import Store
from hub.store.task_views import TaskFilter
from hub.store.tokens import PutToken, TokenRow
from tests.hub.store.board import START_S, Board, offer, result


def _list(board: Board, limit: int = 100, **chosen: Any) -> list[str]:
    """Read all pages; give the ids."""
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = board.store.tasks(TaskFilter(**chosen), limit, cursor)
        assert len(page.tasks) <= limit
        found += [view.id for view in page.tasks]
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the pages never end")


def _mixture(board: Board) -> None:
    """One task in each state, oldest first; parked is queued for people."""
    board.end(board.running("succeeded"))
    board.end(board.running("failed"), "failed")
    board.running("lost", on_lost="fail")
    board.register("n", "i2", predecessors=["i"])
    board.put("expired", deadline=START_S - 1)
    board.put("cancelled")
    board.cancel("cancelled")
    board.put("scheduled", delay_s=9.0)
    board.submit(board.new("running", concurrency_key="k"), offers=[offer()])
    board.put("parked", concurrency_key="k", priority=-2)
    board.put("queued", "other", labels={"team": "blue"}, origin="me")


def test_lists_are_newest_first_in_pages(board: Board) -> None:
    board.submit(*[board.new(f"t{number}") for number in range(7)])
    first = board.store.tasks(TaskFilter(), 3, None)
    assert [view.id for view in first.tasks] == ["t6", "t5", "t4"]
    assert first.tasks[0].payload is None
    assert _list(board, 3) == [f"t{number}" for number in reversed(range(7))]
    assert _list(board, 7) == _list(board, 100)


def test_a_list_keeps_its_place_while_tasks_arrive(board: Board) -> None:
    board.submit(*[board.new(f"t{number}") for number in range(4)])
    page = board.store.tasks(TaskFilter(), 2, None)
    board.put("late")
    page = board.store.tasks(TaskFilter(), 2, page.cursor)
    assert [view.id for view in page.tasks] == ["t1", "t0"]


@pytest.mark.parametrize("state", list(TaskState))
def test_lists_by_state(board: Board, state: TaskState) -> None:
    _mixture(board)
    expected = ["queued", "parked"] if state is TaskState.QUEUED else [state.value]
    assert _list(board, states=[state]) == expected
    assert _list(board, 1, states=[state]) == expected
    assert board.store.stats().tasks[state.value] == len(expected)


def test_lists_by_several_states_are_in_one_order(board: Board) -> None:
    _mixture(board)
    states = [TaskState.FAILED, TaskState.QUEUED, TaskState.RUNNING]
    assert _list(board, 1, states=states) == ["queued", "parked", "running", "failed"]
    assert _list(board, 2, states=[TaskState.SUCCEEDED, TaskState.FAILED]) == ["failed", "succeeded"]


def test_lists_by_everything_else(board: Board) -> None:
    _mixture(board)
    assert _list(board, name="other") == ["queued"]
    assert _list(board, origin="me") == ["queued"]
    assert _list(board, label=("team", "blue")) == ["queued"]
    assert _list(board, label=("team", "red")) == []
    assert _list(board, node="n") == ["running", "lost", "failed", "succeeded"]
    assert _list(board, ids=["failed", "nobody", "queued"]) == ["queued", "failed"]
    assert _list(board, ids=["failed", "queued"], states=[TaskState.FAILED]) == ["failed"]
    assert _list(board, since=START_S + 1) == []
    assert _list(board, since=START_S, name="other", states=[TaskState.QUEUED]) == ["queued"]
    assert _list(board, group="none") == []


def test_a_page_looks_at_a_bounded_number_of_rows(board: Board) -> None:
    board.put("needle", "needle")
    board.submit(*[board.new() for _ in range(12_000)])
    first = board.store.tasks(TaskFilter(name="needle"), 10, None)
    assert first.tasks == []
    assert first.cursor is not None
    assert _list(board, name="needle") == ["needle"]
    assert _list(board, name="needle", states=[TaskState.QUEUED]) == ["needle"]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 30, "\u0663"])
def test_a_cursor_that_is_none_of_ours_is_refused(board: Board, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor is"):
        board.store.tasks(TaskFilter(), 1, cursor)


def test_values_of_what_succeeded(board: Board) -> None:
    board.record(result(board.running("a"), value=b"[1]"), result(board.running("b"), "failed"))
    board.put("c")
    assert board.store.values(["a", "b", "c", "nobody"]) == {"a": b"[1]"}


def test_the_place_in_the_queue_counts_what_stands_before_it(board: Board) -> None:
    board.put("low", priority=-1)
    board.put("first")
    board.put("second")
    board.put("another-class", requires={"a": "b"}, priority=9)
    for task_id, position in (("first", 1), ("second", 2), ("low", 3), ("another-class", 1)):
        place = board.store.queue_place(task_id)
        assert place is not None
        assert place.position == position
    board.put("later", delay_s=1.0)
    place = board.store.queue_place("later")
    assert place is not None
    assert place.position is None
    assert board.store.queue_place("nobody") is None


def test_counts(board: Board) -> None:
    assert board.store.stats().oldest_queued_at is None
    board.register()
    board.wait(3)
    board.put("a")
    board.wait(3)
    board.put("b", priority=5)
    stats = board.store.stats()
    assert (stats.oldest_queued_at, stats.tasks["queued"], stats.nodes["online"]) == (START_S + 3, 2, 1)


# --- events ----------------------------------------------------------------------------------------------------------


def test_each_change_makes_an_event_in_order(board: Board) -> None:
    board.register()
    board.put("a", origin="me", retry={"max_attempts": 2, "initial_s": 5.0})
    board.claim()
    board.end(("a", 1), "failed")
    board.wait(9)
    board.sweep()
    board.claim()
    board.end(("a", 2))
    page = board.store.events(0, 100)
    assert [event.id for event in page.events] == list(range(1, len(page.events) + 1))
    assert page.last_id == len(page.events)
    assert [(event.kind, event.attempt) for event in page.events] == [
        ("node.online", 0),
        ("task.queued", 0),
        ("task.running", 1),
        ("task.scheduled", 1),
        ("task.queued", 1),
        ("task.running", 2),
        ("task.succeeded", 2),
    ]
    running, scheduled = page.events[2:4]
    assert (running.task_id, running.name, running.state) == ("a", "work", "running")
    assert (running.node_id, running.origin, running.at) == ("n", "me", START_S)
    assert scheduled.error is not None


def test_the_events_of_a_commit_are_those_that_are_stored(board: Board) -> None:
    board.submit(*[board.new() for _ in range(5000)], offers=[offer(2500)])
    told = board.last.events
    assert len(told) == 5000
    found = []
    after_id = 0
    while page := board.store.events(after_id, 777).events:
        assert len(page) <= 777
        found += page
        after_id = page[-1].id
    assert found == told


def test_a_reader_that_comes_too_late_is_told(board: Board) -> None:
    board.put("a")
    board.wait(8 * 24 * 3600)
    board.put("b")
    assert not board.store.events(0, 10).missed
    board.sweep()
    page = board.store.events(0, 10)
    assert page.missed
    assert [event.task_id for event in page.events] == ["b"]
    assert not board.store.events(1, 10).missed
    assert not board.store.events(page.last_id, 10).missed


def test_nothing_behind_the_last_event(board: Board) -> None:
    page = board.store.events(0, 10)
    assert (page.events, page.last_id, page.missed) == ([], 0, False)
    board.put("a")
    assert board.store.events(1, 10).events == []
    assert board.store.events(99, 10).events == []


# --- tokens ----------------------------------------------------------------------------------------------------------


def _token(token_id: str = "k", **more: Any) -> TokenRow:
    values: dict[str, Any] = {"name": "x", "role": "node", "digest": b"\x00\xff", "created_at": START_S} | more
    return TokenRow(token_id=token_id, **values)


def test_a_token_is_stored_once_and_revoked_once(board: Board) -> None:
    token = _token(expires_at=5.0, node_id="n")
    assert board.one(PutToken(token=token)) is True
    assert board.one(PutToken(token=token)) is False
    assert board.store.tokens() == [token]
    revoked = _token(expires_at=5.0, node_id="n", revoked_at=START_S)
    assert board.one(PutToken(token=revoked)) is True
    assert board.one(PutToken(token=token)) is False
    assert board.store.tokens() == [revoked]


# --- for ever --------------------------------------------------------------------------------------------------------


def test_what_was_committed_is_there_after_a_restart(board: Board, open_store: Callable[[], Store]) -> None:
    board.register()
    key = board.running("runs")
    board.put("waits", "other")
    board.store.close()
    board.store = open_store()
    assert board.store.task("runs") is not None
    assert board.end(key) == "committed"
    assert board.claimed(offer(handlers=["other"])) == ["waits"]
    assert [event.id for event in board.store.events(0, 100).events] == [1, 2, 3, 4, 5]
