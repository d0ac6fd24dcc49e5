"""One outcome per task, from its newest attempt, the first one committed."""

from __future__ import annotations

import pytest

from hub.decisions.lifecycle import FINAL, TaskState
from hub.decisions.retry import RetryPolicy
from hub.decisions.settlement import cancel, expire, lose, revive, settle
from hub.store.attempts import LOSSES_MAX
from protocol.frames import TaskError
from tests.hub.rows import queued, result, running


def test_the_holder_of_the_newest_attempt_decides() -> None:
    settlement = settle(running(), result(), luck=0.5)
    assert settlement.verdict == "committed"
    assert settlement.change is not None
    assert settlement.change.state is TaskState.SUCCEEDED
    assert settlement.change.counts_as == "succeeded"
    assert not settlement.change.held


def test_a_result_for_an_unknown_task_is_kept_apart() -> None:
    assert settle(None, result(), luck=0.5).verdict == "quarantined"


def test_a_result_of_an_attempt_that_the_store_has_not_made_is_kept_apart() -> None:
    assert settle(running(attempt=1), result(attempt=2), luck=0.5).verdict == "quarantined"


def test_a_late_result_of_an_old_attempt_is_refused() -> None:
    settlement = settle(running(attempt=2), result(attempt=1), luck=0.5)
    assert (settlement.verdict, settlement.change) == ("superseded", None)


@pytest.mark.parametrize("state", [TaskState.QUEUED, TaskState.SCHEDULED])
def test_a_late_result_of_a_freed_attempt_is_refused(state: TaskState) -> None:
    assert settle(queued(attempt=1, state=state), result(), luck=0.5).verdict == "superseded"


def test_a_result_for_an_attempt_of_another_node_changes_nothing() -> None:
    settlement = settle(running(node_id="other"), result(), luck=0.5)
    assert (settlement.verdict, settlement.change) == ("foreign", None)


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "cancelled"])
def test_after_a_cancel_whatever_the_node_says_only_frees_the_attempt(outcome: str) -> None:
    row = running(state=TaskState.CANCELLED)
    settlement = settle(row, result(outcome=outcome), luck=0.5)
    assert settlement.verdict == "superseded"
    assert settlement.change is not None
    assert settlement.change.state is TaskState.CANCELLED
    assert not settlement.change.held
    assert settlement.change.counts_as == ""


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_second_result_of_a_settled_attempt_is_refused(state: TaskState) -> None:
    assert settle(running(state=state, held=False), result(), luck=0.5).verdict == "superseded"


def test_a_failure_is_retried_as_the_policy_says() -> None:
    policy = RetryPolicy(max_attempts=2, initial_s=4, jitter=0)
    first = settle(running(retry=policy), result(outcome="failed"), luck=0.5).change
    assert first is not None
    assert (first.state, first.failures, first.pause_s) == (TaskState.SCHEDULED, 1, 4)
    second = settle(running(retry=policy, failures=1, attempt=2), result(attempt=2, outcome="failed"), luck=0.5).change
    assert second is not None
    assert (second.state, second.failures, second.pause_s) == (TaskState.FAILED, 2, None)


def test_a_retry_without_a_pause_is_queued_at_once() -> None:
    policy = RetryPolicy(max_attempts=2, initial_s=0)
    change = settle(running(retry=policy), result(outcome="failed"), luck=0.5).change
    assert change is not None
    assert (change.state, change.pause_s) == (TaskState.QUEUED, None)


def test_a_failure_that_cannot_get_better_is_not_retried() -> None:
    error = TaskError(kind="bad_arguments", retryable=False)
    row = running(retry=RetryPolicy(max_attempts=5))
    change = settle(row, result(outcome="failed", error=error), luck=0.5).change
    assert change is not None
    assert (change.state, change.error) == (TaskState.FAILED, error)


def test_an_attempt_that_its_node_stopped_to_shut_down_is_a_loss_and_no_failure() -> None:
    settlement = settle(running(), result(outcome="cancelled"), luck=0.5)
    assert settlement.change is not None
    assert (settlement.change.state, settlement.change.losses, settlement.change.failures) == (TaskState.QUEUED, 1, 0)


def test_a_lost_attempt_runs_again_and_uses_up_none_of_the_tasks_own() -> None:
    change = lose(running(failures=3), "dead")
    assert change is not None
    assert (change.state, change.failures, change.losses, change.counts_as) == (TaskState.QUEUED, 3, 1, "lost")


def test_a_task_that_says_so_is_never_run_again_after_a_loss() -> None:
    change = lose(running(on_lost="fail"), "dead")
    assert change is not None
    assert change.state is TaskState.LOST
    assert change.error is not None
    assert "attempt 1 on node n: dead; on_lost is fail" in change.error.message


def test_a_task_that_outlives_too_many_nodes_is_lost() -> None:
    assert LOSSES_MAX > 2
    almost = lose(running(losses=LOSSES_MAX - 2), "dead")
    last = lose(running(losses=LOSSES_MAX - 1), "dead")
    assert almost is not None
    assert last is not None
    assert (almost.state, last.state) == (TaskState.QUEUED, TaskState.LOST)


def test_losing_what_nobody_holds_changes_nothing() -> None:
    assert lose(queued(), "dead") is None


def test_losing_a_cancelled_attempt_only_frees_it() -> None:
    change = lose(running(state=TaskState.CANCELLED), "dead")
    assert change is not None
    assert (change.state, change.held, change.counts_as) == (TaskState.CANCELLED, False, "")


def test_a_running_task_is_cancelled_at_once_and_held_until_its_node_says_so() -> None:
    change = cancel(running(), "not needed")
    assert change is not None
    assert (change.state, change.held, change.counts_as) == (TaskState.CANCELLED, True, "cancelled")


def test_a_waiting_task_is_cancelled_and_counts_for_no_node() -> None:
    change = cancel(queued(), "")
    assert change is not None
    assert (change.state, change.held, change.counts_as) == (TaskState.CANCELLED, False, "")


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_task_with_an_outcome_cannot_be_cancelled_or_expire(state: TaskState) -> None:
    assert cancel(queued(state=state), "") is None
    assert expire(queued(state=state)) is None


def test_only_what_has_not_started_expires() -> None:
    assert expire(running()) is None
    for state in (TaskState.QUEUED, TaskState.SCHEDULED):
        change = expire(queued(state=state))
        assert change is not None
        assert change.state is TaskState.EXPIRED


@pytest.mark.parametrize("state", sorted(FINAL - {TaskState.SUCCEEDED}))
def test_a_finished_task_can_be_run_again_from_a_clean_slate(state: TaskState) -> None:
    change = revive(queued(state=state, failures=3, losses=2, attempt=5))
    assert change is not None
    assert (change.state, change.failures, change.losses) == (TaskState.QUEUED, 0, 0)


def test_what_succeeded_or_has_not_stopped_or_is_not_over_is_not_run_again() -> None:
    assert revive(queued(state=TaskState.SUCCEEDED)) is None
    assert revive(running(state=TaskState.CANCELLED)) is None
    assert revive(running()) is None
    assert revive(queued()) is None
