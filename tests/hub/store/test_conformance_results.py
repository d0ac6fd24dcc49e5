"""Results, cancellations, lost leases and wishes to run again: one outcome per task, from its newest attempt."""

from __future__ import annotations

import pytest

from hub.decisions.lifecycle import TaskState
from hub.store.attempts import LOSSES_MAX, Record, Release, Silence
from hub.store.contract import Operation
from hub.store.logs import AppendLogs
from hub.store.submissions import Submit
from protocol.frames import LogLine, TaskError
from tests.hub.store.board import START_S, Board, offer, result


def test_a_result_ends_the_task_and_counts_once(board: Board) -> None:
    board.register()
    key = board.running("a")
    board.wait(2)
    assert board.end(key, value=b'{"ok": true}', run_s=1.5, wait_s=0.25, ended_at=START_S + 1) == "committed"
    assert board.last.values == {"a": b'{"ok": true}'}
    view = board.view("a")
    assert (view.state, view.value, view.held) == (TaskState.SUCCEEDED, b'{"ok": true}', False)
    assert (view.run_s, view.wait_s, view.started_at, view.finished_at) == (1.5, 0.25, START_S, START_S + 1)
    node = board.store.node("n")
    assert node is not None
    assert (node.succeeded, node.run_s, node.slots_in_use) == (1, 1.5, 0)


def test_a_result_told_again_changes_nothing(board: Board) -> None:
    board.register()
    key = board.running("a")
    first, second = result(key), result(key, "failed")
    assert board.record(first, second, first).verdicts == ["committed", "superseded", "superseded"]
    assert board.end(key, "failed") == "superseded"
    node = board.store.node("n")
    assert node is not None
    assert (node.succeeded, node.failed) == (1, 0)
    assert board.view("a").value == b"1"


def test_a_late_result_of_an_old_attempt_is_refused(board: Board) -> None:
    key = board.running("a")
    assert board.release(Silence("n", "i", 1e6)).freed[0].task_id == "a"
    assert board.claim(offer(node_id="m", instance_id="j"))[0].attempt == 2
    assert board.end(key) == "superseded"
    assert board.state("a") is TaskState.RUNNING
    assert board.end(("a", 2), node_id="m") == "committed"


def test_a_result_for_the_attempt_of_another_node_changes_nothing(board: Board) -> None:
    key = board.running("a")
    assert board.end(key, node_id="intruder") == "foreign"
    assert board.state("a") is TaskState.RUNNING


@pytest.mark.parametrize("key", [("nobody-knows", 1), ("a", 2)])
def test_a_result_that_the_store_never_heard_of_is_kept_in_quarantine(board: Board, key: tuple[str, int]) -> None:
    board.running("a")
    assert board.end(key) == "quarantined"
    assert board.state("a") is TaskState.RUNNING


def test_slots_that_results_free_are_filled_in_the_same_commit(board: Board) -> None:
    key = board.running("a")
    board.put("b")
    recorded = board.record(result(key), offers=[offer()])
    assert [item.task_id for item in recorded.assignments] == ["b"]
    assert board.last.waiting == {}


def test_a_failure_without_attempts_left_is_final(board: Board) -> None:
    board.register()
    error = TaskError(kind="error", message="broke", type="ValueError", traceback="tb")
    assert board.end(board.running("a"), "failed", error=error) == "committed"
    view = board.view("a")
    assert (view.state, view.error, view.failures) == (TaskState.FAILED, error, 1)
    node = board.store.node("n")
    assert node is not None
    assert node.failed == 1


def test_a_failure_with_attempts_left_waits_and_runs_again(board: Board) -> None:
    retry = {"max_attempts": 2, "initial_s": 10.0, "jitter": 0.0}
    board.end(board.running("a", retry=retry), "failed")
    view = board.view("a")
    assert (view.state, view.failures, view.due_at) == (TaskState.SCHEDULED, 1, START_S + 10)
    assert view.error is not None
    assert board.claim() == []
    board.wait(10)
    assert board.sweep().due == 1
    (assignment,) = board.claim()
    assert assignment.attempt == 2
    assert board.end(("a", 2)) == "committed"
    assert (board.view("a").value, board.view("a").error) == (b"1", None)


def test_a_retry_without_a_pause_is_queued_at_once(board: Board) -> None:
    retry = {"max_attempts": 2, "initial_s": 0.0}
    recorded = board.record(result(board.running("a", retry=retry), "failed"), offers=[offer()])
    assert [(item.task_id, item.attempt) for item in recorded.assignments] == [("a", 2)]


def test_luck_places_the_pause(board: Board) -> None:
    retry = {"max_attempts": 2, "initial_s": 10.0, "jitter": 0.5}
    board.record(result(board.running("a", retry=retry), "failed"), luck=1.0)
    assert board.view("a").due_at == START_S + 15


# --- cancelling ------------------------------------------------------------------------------------------------------


def test_a_waiting_task_is_cancelled_at_once(board: Board) -> None:
    board.put("queued")
    board.put("scheduled", delay_s=9.0)
    cancelled = board.cancel("queued", "scheduled", "nobody", "queued")
    assert cancelled.states == [
        ("queued", "cancelled"),
        ("scheduled", "cancelled"),
        ("nobody", None),
        ("queued", "cancelled"),
    ]
    assert cancelled.changed == ["queued", "scheduled"]
    assert cancelled.stop == []
    assert board.cancel("queued").changed == []
    assert board.claim() == []
    error = board.view("queued").error
    assert error is not None
    assert error.message == "enough"


def test_a_running_task_is_cancelled_for_everyone_and_held_until_its_node_stops_it(board: Board) -> None:
    board.register()
    key = board.running("a")
    (stop,) = board.cancel("a").stop
    assert (stop.key, stop.node_id, stop.instance_id) == (key, "n", "i")
    view = board.view("a")
    assert (view.state, view.held) == (TaskState.CANCELLED, True)
    assert board.cancel("a").stop == []
    assert board.end(key, "cancelled") == "superseded"
    assert (board.state("a"), board.view("a").held) == (TaskState.CANCELLED, False)
    node = board.store.node("n")
    assert node is not None
    assert (node.cancelled, node.succeeded) == (1, 0)


def test_what_finished_before_is_not_cancelled(board: Board) -> None:
    board.end(board.running("a"))
    assert board.cancel("a").states == [("a", "succeeded")]


# --- leases ----------------------------------------------------------------------------------------------------------


def test_only_attempts_whose_lease_has_run_out_are_freed(board: Board) -> None:
    board.register()
    board.running("short", lease_s=100.0)
    board.running("long", lease_s=200.0)
    released = board.release(Silence("n", "i", 106.0), Silence("n", "another-instance", 1e6))
    assert [row.task_id for row in released.freed] == ["short"]
    assert released.next_due_s == [pytest.approx(200 + 5 + 2 - 106), None]
    assert (board.state("short"), board.state("long")) == (TaskState.QUEUED, TaskState.RUNNING)
    node = board.store.node("n")
    assert node is not None
    assert node.lost == 1
    assert board.last.waiting != {}


def test_a_task_that_may_not_run_twice_is_lost(board: Board) -> None:
    board.running("a", on_lost="fail")
    board.release(Silence("n", "i", 1e6))
    view = board.view("a")
    assert (view.state, view.losses) == (TaskState.LOST, 1)
    assert view.error is not None
    assert view.error.kind == "lost"


def test_a_task_that_kills_each_node_ends(board: Board) -> None:
    board.put("a")
    for _ in range(LOSSES_MAX):
        assert len(board.claim()) == 1
        board.release(Silence("n", "i", 1e6))
    assert board.state("a") is TaskState.LOST


def test_a_cancelled_attempt_whose_lease_ran_out_is_held_no_longer(board: Board) -> None:
    board.running("a")
    board.cancel("a")
    board.release(Silence("n", "i", 1e6))
    assert (board.state("a"), board.view("a").held) == (TaskState.CANCELLED, False)


# --- running again ---------------------------------------------------------------------------------------------------


def test_a_finished_task_can_be_queued_again(board: Board) -> None:
    board.end(board.running("a"), "failed")
    assert board.revive("a", "nobody").tasks == [("a", TaskState.FAILED, True), ("nobody", None, False)]
    view = board.view("a")
    assert (view.state, view.failures, view.error, view.finished_at) == (TaskState.QUEUED, 0, None, None)
    assert board.claim()[0].attempt == 2


def test_what_succeeded_or_is_still_held_is_not_run_again(board: Board) -> None:
    board.end(board.running("done"))
    board.running("held")
    board.cancel("held")
    board.put("waiting")
    assert [done for _, _, done in board.revive("done", "held", "waiting").tasks] == [False, False, False]


# --- logs ------------------------------------------------------------------------------------------------------------


def _line(message: str, task_id: str = "a", attempt: int = 1) -> LogLine:
    return LogLine(task_id=task_id, attempt=attempt, at=START_S, level="INFO", message=message)


def test_log_lines_are_kept_up_to_a_limit_and_the_rest_is_counted(board: Board) -> None:
    board.running("a")
    for number in range(2):
        lines = [_line(f"{number}.{item}") for item in range(3)]
        board.one(AppendLogs(node_id="n", lines=lines, lines_max=5))
    logs = board.store.logs("a")
    assert [line.message for line in logs.lines] == ["0.0", "0.1", "0.2", "1.0", "1.1"]
    assert logs.dropped == 1


def test_log_lines_of_what_a_node_does_not_hold_are_dropped(board: Board) -> None:
    board.running("a")
    board.one(AppendLogs(node_id="m", lines=[_line("foreign")], lines_max=5))
    board.one(AppendLogs(node_id="n", lines=[_line("old", attempt=7), _line("gone", "nobody")], lines_max=5))
    assert board.store.logs("a").lines == []


# --- faults of one operation -----------------------------------------------------------------------------------------


def test_an_operation_that_fails_takes_nothing_with_it(board: Board) -> None:
    key = board.running("a")
    broken: Operation = Release(silences=[None])  # type: ignore[list-item] # a bug of the caller, on purpose
    before = board.store.stats()
    ends, submits = Record(results=[result(key)]), Submit(tasks=[board.new("later", "new-class")])
    first, failed, last = board.run(ends, broken, submits)
    assert isinstance(failed, AttributeError)
    assert first.verdicts == ["committed"]  # type: ignore[attr-defined]
    assert [item.task_id for item in last.accepted] == ["later"]  # type: ignore[attr-defined]
    assert board.state("a") is TaskState.SUCCEEDED
    after = board.store.stats()
    assert (after.tasks["succeeded"], after.tasks["queued"]) == (1, 1)
    assert after.last_event_id == before.last_event_id + 2
    assert [event.id for event in board.last.events] == [before.last_event_id + 1, before.last_event_id + 2]
