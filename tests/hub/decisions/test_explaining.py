"""Why a task is not running, in the words of the person on call."""

from __future__ import annotations

from typing import Any

from hub.decisions.explaining import MIB, Moment, explain
from hub.decisions.lifecycle import TaskState
from hub.decisions.sessions import LiveNode
from hub.store.node_views import NodeView
from hub.store.task_views import QueuePlace, TaskView
from hub.store.tasks import TaskOptions


def node(node_id: str = "n", **more: Any) -> NodeView:
    values: dict[str, Any] = {
        "id": node_id, "name": "", "state": "online", "cordoned": False, "draining": False, "labels": {}, "slots": 2,
        "slots_in_use": 0, "handlers": ["work"], "version": "1", "instance_id": "i", "session_id": "s",
        "first_seen_at": 0.0, "last_seen_at": 90.0, "connected_at": 0.0, "connects": 1, "disconnects": 0,
        "last_disconnect_at": None, "last_disconnect_reason": "", "succeeded": 0, "failed": 0, "cancelled": 0,
        "lost": 0, "run_s": 0.0,
    }  # fmt: skip
    return NodeView(**(values | more))


def place(*, position: int | None = 1, holders: int = 0, **more: Any) -> QueuePlace:
    values: dict[str, Any] = {
        "id": "t", "name": "work", "state": TaskState.QUEUED, "priority": 0, "attempt": 0, "failures": 0, "losses": 0,
        "node": None, "target": None, "requires": {}, "labels": {}, "origin": "", "group": "", "submitted_at": 0.0,
        "due_at": None, "deadline_at": None, "started_at": None, "finished_at": None, "run_s": None, "wait_s": None,
        "error": None, "options": TaskOptions(), "held": False,
    }  # fmt: skip
    return QueuePlace(view=TaskView(**(values | more)), position=position, concurrency_holders=holders)


def reasons(waiting: QueuePlace, *nodes: NodeView) -> dict[str, str]:
    return {item.node_id: item.reason for item in explain(waiting, nodes, Moment(wall_s=100.0)).nodes}


def test_each_node_has_one_reason() -> None:
    nodes = [
        node("free"),
        node("busy", slots_in_use=2),
        node("away", state="unreachable"),
        node("drains", state="draining"),
        node("told", draining=True),
        node("cordoned", cordoned=True),
        node("other", handlers=["play"]),
        node("gone", state="gone"),
    ]
    assert reasons(place(), *nodes) == {
        "free": "can_run",
        "busy": "busy",
        "away": "unreachable",
        "drains": "draining",
        "told": "draining",
        "cordoned": "cordoned",
        "other": "handler_unknown",
    }


def test_the_tasks_own_reasons_come_before_a_busy_node() -> None:
    options = TaskOptions(concurrency_key="k", concurrency_limit=2)
    assert reasons(place(state=TaskState.SCHEDULED, due_at=130.0), node(slots_in_use=2)) == {"n": "not_due"}
    assert reasons(place(options=options, holders=2), node(slots_in_use=2)) == {"n": "concurrency_key"}
    assert reasons(place(options=options, holders=1), node()) == {"n": "can_run"}
    assert reasons(place(target="m"), node()) == {"n": "not_target"}
    assert reasons(place(requires={"gpu": "x"}), node()) == {"n": "labels"}


def test_a_running_or_finished_task_says_so() -> None:
    assert reasons(place(state=TaskState.RUNNING, held=True, node="n"), node()) == {"n": "running_here"}
    assert reasons(place(state=TaskState.FAILED), node()) == {"n": "finished"}


def test_the_summary_is_a_sentence_for_the_person_on_call() -> None:
    def summary(waiting: QueuePlace, *nodes: NodeView) -> str:
        return explain(waiting, nodes, Moment(wall_s=100.0)).summary

    assert summary(place()) == "No node is known yet; it waits until one registers."
    assert summary(place(position=4), node(slots_in_use=2)) == (
        "1 of 1 nodes fit it: 1 busy; 3 of its class stand before it."
    )
    assert summary(place(position=None), node()) == "1 of 1 nodes fit it: 1 can_run."
    assert summary(place(state=TaskState.SCHEDULED, due_at=130.0)) == "It waits for its time, 30 s from now."
    assert summary(place(state=TaskState.RUNNING, attempt=2, node="n")) == "It is running: attempt 2 on node n."
    assert summary(place(state=TaskState.LOST)) == "It is lost."


def test_the_summary_names_what_no_node_has() -> None:
    def summary(waiting: QueuePlace, *nodes: NodeView) -> str:
        return explain(waiting, nodes, Moment(wall_s=100.0)).summary

    assert summary(place(), node(handlers=[])) == "No node has a handler named work; it waits until one has."
    assert summary(place(), node("a", handlers=["play", "wrok"]), node("b", handlers=["play"])) == (
        "No node has a handler named work; it waits until one has. Did you mean wrok?"
    )
    # A node that is gone has nothing.
    assert summary(place(), node("a", state="gone"), node("b", handlers=[])).startswith("No node has a handler")
    assert summary(place(target="node-2"), node("node-1")) == (
        "Only node node-2 may run it, and there is no such node. Did you mean node-1?"
    )
    assert summary(place(target="a"), node("a", handlers=[]), node("b")) == (
        "Only node a may run it: has no handler named work."
    )
    assert summary(place(requires={"gpu": "h100", "site": "x"}), node("a"), node("b", handlers=[])) == (
        "No node that has its handler has what it requires: gpu=h100 site=x."
    )


def live(**more: Any) -> LiveNode:
    values: dict[str, Any] = {
        "slots_in_use": 0, "outbox": 0, "load": None, "loop_lag_ms": None, "round_trip_ms": None, "draining": False,
        "heard_s": 0.0,
    }  # fmt: skip
    return LiveNode(**(values | more))


def test_a_node_that_has_not_read_what_it_was_given_is_given_no_more() -> None:
    slow = live(unsent_bytes=4 * MIB, unsent_tasks=7, has_room=False)
    moment = Moment(wall_s=100.0, live={"slow": slow, "well": live(unsent_bytes=100)})
    explanation = explain(place(position=None), [node("slow"), node("well")], moment)
    slow_one, well = explanation.nodes
    assert (slow_one.reason, well.reason) == ("backlog", "can_run")
    assert slow_one.detail == (
        "has a free slot, and is given no more until it has read what it was: "
        "4.0 MiB of tasks wait for it to read them, and 7 tasks for room behind them"
    )
    assert explanation.summary == "2 of 2 nodes fit it: 1 backlog, 1 can_run."


def test_an_assigned_task_that_was_not_sent_yet_says_what_it_waits_for() -> None:
    assigned = place(state=TaskState.RUNNING, held=True, node="n", attempt=2)
    moment = Moment(wall_s=100.0, live={"n": live(unsent_bytes=MIB, unsent_tasks=1, has_room=False)}, is_unsent=True)
    explanation = explain(assigned, [node()], moment)
    assert explanation.summary == "It is assigned to node n, attempt 2, and waits for the node to read more."
    assert explanation.nodes[0].detail.startswith("is to run attempt 2, which waits to be sent: 1.0 MiB of tasks wait")


def test_while_the_store_takes_no_commits_nothing_is_promised() -> None:
    explanation = explain(place(position=None), [node()], Moment(wall_s=100.0, degraded="the disk is full"))
    detail = "has a free slot; nothing is assigned until the store takes commits: the disk is full"
    assert [(item.reason, item.detail) for item in explanation.nodes] == [("can_run", detail)]
    assert explanation.summary.endswith("Nothing is assigned until the store takes commits.")
