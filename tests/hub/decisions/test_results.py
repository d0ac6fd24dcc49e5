"""Results are checked, put to the store once, and acked after the commit."""

from __future__ import annotations

import pytest
from msgspec import Raw

from hub.decisions.results import RESULTS_UNDER_WAY_MAX
from hub.store.attempts import Record
from protocol import frames
from protocol.errors import BadFrameError, OutOfTurnError
from protocol.frames import TaskError
from tests.hub.harness import Hub, done


def test_a_result_is_acked_only_after_its_commit(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(node, done("t"))
    assert hub.frames(node, frames.Ack) == []
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("t", 1)])]


def test_a_result_that_is_on_its_way_is_not_put_to_the_store_again(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(node, done("t"))
    hub.say(node, done("t"))
    assert sum(isinstance(operation, Record) for operation, _ in hub.pending) == 1


def test_a_result_of_another_nodes_attempt_is_refused_and_raises_an_alarm(hub: Hub) -> None:
    holder = hub.register("n")
    thief = hub.register("m", handlers=["play"])
    hub.submit("t")
    assert hub.pushed(holder)
    hub.say(thief, done("t"))
    hub.settle()
    assert not hub.frames(thief, frames.Ack)
    assert [alarm.kind for alarm in hub.alarms] == ["foreign_result"]
    assert hub.state("t") == "running"


def test_results_that_could_not_be_recorded_are_not_acked_and_may_come_again(hub: Hub) -> None:
    node = hub.register(slots=1)
    hub.submit("t", "u")
    hub.say(node, done("t"))
    hub.fail_next(ValueError("broken"))
    assert hub.frames(node, frames.Ack) == []
    assert [alarm.kind for alarm in hub.alarms] == ["operation_failed"]
    hub.say(node, done("t"))
    hub.settle()
    assert hub.frames(node, frames.Ack) == [frames.Ack(attempts=[("t", 1)])]
    assert hub.pushed(node) == [("t", 1), ("u", 1)]


def test_results_on_their_way_to_the_store_are_bounded(hub: Hub) -> None:
    node = hub.register()
    for number in range(RESULTS_UNDER_WAY_MAX):
        hub.say(node, done(f"invented{number}"))
    with pytest.raises(OutOfTurnError, match="results that are not acked"):
        hub.say(node, done("one-more"))
    waiting = sum(len(operation.results) for operation, _ in hub.pending if isinstance(operation, Record))
    assert waiting == RESULTS_UNDER_WAY_MAX


def test_a_value_that_is_not_json_is_refused(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    with pytest.raises(BadFrameError, match="the value of t/1"):
        hub.say(node, done("t", value=Raw(b'"\xff"')))
    with pytest.raises(BadFrameError, match="at most 262144 are allowed"):
        hub.say(node, done("t", value=Raw(b'"' + b"x" * 262_144 + b'"')))


def test_an_error_with_a_nul_in_it_is_kept_so_that_it_can_be_found(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    error = TaskError(kind="error", message="a\0b", traceback="c\0d", retryable=False)
    hub.say(node, done("t", outcome="failed", error=error))
    hub.settle()
    view = hub.store.task("t")
    assert view is not None
    assert view.error == TaskError(kind="error", message="a\ufffdb", traceback="c\ufffdd", retryable=False)


@pytest.mark.parametrize("task_id", ["a b", "a\n", "-a", "ä"])
def test_a_result_for_what_cannot_be_a_task_is_refused(hub: Hub, task_id: str) -> None:
    node = hub.register()
    with pytest.raises(BadFrameError, match="task_id"):
        hub.say(node, done(task_id))


@pytest.mark.parametrize("fails", [False, True])
def test_a_result_whose_node_is_gone_before_the_commit_is_not_acked(hub: Hub, fails: bool) -> None:
    node = hub.register()
    hub.submit("t")
    hub.say(node, done("t"))
    hub.apply(hub.core.disconnect("n"))
    if fails:
        hub.fail_next(RuntimeError("a bug"))
    hub.settle()
    assert hub.frames(node, frames.Ack) == []
    assert hub.state("t") == ("running" if fails else "succeeded")
