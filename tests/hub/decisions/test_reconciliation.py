"""Each cell of the table: what the store says against what the node says."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.lifecycle import FINAL, TaskState
from hub.decisions.reconciliation import Reconciliation, reconcile
from hub.store.attempts import TaskRow
from protocol.frames import AttemptKey, Inventory
from tests.hub.rows import queued, running


def judge(
    rows: Sequence[TaskRow],
    *,
    runs: Sequence[AttemptKey] = (),
    results: Sequence[AttemptKey] = (),
    instance_id: str = "i",
    predecessors: Sequence[str] = (),
) -> Reconciliation:
    inventory = Inventory(running=list(runs), results=list(results))
    held = [row for row in rows if row.held and row.node_id == "n"]
    return reconcile(held, {row.task_id: row for row in rows}, inventory, instance_id, predecessors)


def test_what_both_say_goes_on() -> None:
    found = judge([running()], runs=[("t", 1)])
    assert (found.keep, found.held, found.changes, found.push) == ([("t", 1)], [("t", 1)], [], [])


def test_a_waiting_result_is_kept_for_the_node_to_send() -> None:
    found = judge([running()], results=[("t", 1)])
    assert (found.keep, found.held) == ([("t", 1)], [("t", 1)])


def test_what_the_same_instance_does_not_have_is_pushed_again_as_the_same_attempt() -> None:
    found = judge([running(attempt=3)])
    assert (found.push, found.held, found.changes) == ([("t", 3)], [("t", 3)], [])


def test_what_a_dead_instance_had_is_lost() -> None:
    found = judge([running()], instance_id="j", predecessors=["i"])
    (change,) = found.changes
    assert (change.state, change.losses) == (TaskState.QUEUED, 1)
    assert (found.push, found.held) == ([], [])


def test_a_result_that_a_dead_instance_left_in_the_outbox_still_counts() -> None:
    found = judge([running()], results=[("t", 1)], instance_id="j", predecessors=["i"])
    assert (found.keep, found.changes) == ([("t", 1)], [])


def test_what_an_instance_had_that_nobody_proves_dead_is_left_to_its_lease() -> None:
    found = judge([running()], instance_id="j")
    assert (found.push, found.held, found.changes, found.keep) == ([], [], [], [])


def test_a_newer_attempt_stops_the_older_one() -> None:
    found = judge([running(attempt=2, node_id="other")], runs=[("t", 1)])
    assert found.stop == [("t", 1)]


def test_the_result_of_an_older_attempt_is_forgotten() -> None:
    found = judge([running(attempt=2, node_id="other")], results=[("t", 1)])
    assert found.forget == [("t", 1)]


def test_an_attempt_that_was_freed_is_stopped() -> None:
    assert judge([queued(attempt=1)], runs=[("t", 1)]).stop == [("t", 1)]
    assert judge([queued(attempt=1)], results=[("t", 1)]).forget == [("t", 1)]


def test_a_cancelled_attempt_is_cancelled_again() -> None:
    row = running(state=TaskState.CANCELLED)
    found = judge([row], runs=[("t", 1)])
    assert (found.cancel, found.keep, found.held) == ([("t", 1)], [], [("t", 1)])


def test_a_cancelled_attempt_that_never_arrived_is_freed() -> None:
    (change,) = judge([running(state=TaskState.CANCELLED)]).changes
    assert (change.state, change.held) == (TaskState.CANCELLED, False)


def test_a_final_task_is_stopped_and_its_results_are_forgotten() -> None:
    for state in FINAL:
        row = running(state=state, held=False)
        assert judge([row], runs=[("t", 1)]).stop == [("t", 1)]
        assert judge([row], results=[("t", 1)]).forget == [("t", 1)]


def test_what_the_store_does_not_know_is_kept_and_told() -> None:
    found = judge([], runs=[("t", 1)], results=[("u", 1)])
    assert found.keep == found.unknown == [("t", 1), ("u", 1)]
    assert found.stop == found.forget == []


def test_an_attempt_newer_than_the_stores_memory_is_kept() -> None:
    found = judge([queued(attempt=1)], runs=[("t", 2)])
    assert found.keep == found.unknown == [("t", 2)]


rows = st.builds(
    TaskRow,
    task_id=st.sampled_from("abc"),
    state=st.sampled_from(list(TaskState)),
    attempt=st.integers(1, 3),
    held=st.booleans(),
    node_id=st.sampled_from(["n", "other"]),
    instance_id=st.sampled_from("ij"),
).map(
    lambda row: running(
        row.task_id,
        row.attempt,
        state=row.state,
        held=row.held or row.state is TaskState.RUNNING,
        node_id=row.node_id,
        instance_id=row.instance_id,
    )
)
keys = st.tuples(st.sampled_from("abcd"), st.integers(1, 4))


@given(
    rows=st.lists(rows, max_size=3, unique_by=lambda row: row.task_id),
    runs=st.sets(keys, max_size=4),
    results=st.sets(keys, max_size=4),
    proven=st.booleans(),
)
def test_everything_is_judged_exactly_once(
    rows: list[TaskRow], runs: set[AttemptKey], results: set[AttemptKey], *, proven: bool
) -> None:
    results -= runs
    found = judge(rows, runs=sorted(runs), results=sorted(results), instance_id="j", predecessors=["i"] * proven)
    told = [*found.keep, *found.stop, *found.forget, *found.cancel]
    assert sorted(told) == sorted(runs | results)
    assert set(found.held) >= set(found.push)
    assert not set(found.push) & (runs | results)
    held = {row.key for row in rows if row.held and row.node_id == "n"}
    assert set(found.held) <= held
    assert {change.row.key for change in found.changes} <= held - set(found.held)
    assert set(found.unknown) <= set(found.keep)
