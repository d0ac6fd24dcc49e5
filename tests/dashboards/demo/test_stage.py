from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.demo.scenario import Phase
from dashboards.demo.stage import Stage
from dashboards.installation.clients import Told
from dashboards.installation.fleet import Fleet
from moorline.views import NodeView


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    fleet = Fleet(tmp_path, ready_within_s=20)
    for number in (1, 2, 3):
        fleet.add_node(f"node-{number}", app="examples.diagnosis", slots=4)
    return Stage(fleet, tasks=10, slots=4)


def view(name: str, *, connects: int = 1, online: bool = True, succeeded: int = 0) -> NodeView:
    state = "online" if online else "unreachable"
    return NodeView(id=name, state=state, first_seen_at=1.0, connects=connects, totals={"succeeded": succeeded})


def write_truth(stage: Stage, **fields: Any) -> None:
    line = {"task_id": "t1", "attempt": 1, "instance": "i", "node": "node-3", "event": "start", "at": 1.0, **fields}
    with stage.fleet.truth_path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_facts_come_from_all_three_sides(stage: Stage) -> None:
    write_truth(stage)
    write_truth(stage, task_id="t2", node="node-1")
    stage.read_truth()
    stage.hub = "up"
    stage.note_nodes([view("node-1"), view("node-2", online=False)])
    stage.note_told(Told(task_id="t9", outcome="succeeded", at=1.0))
    facts = stage.facts()
    assert (facts.running, facts.victim_running) == (2, 1)
    assert (facts.nodes, facts.nodes_online, facts.told, facts.tasks) == (3, 1, 1, 10)
    assert facts.phase is Phase.STARTING


def test_after_a_kill_a_node_is_back_only_when_it_has_connected_once_more(stage: Stage) -> None:
    stage.hub = "up"
    stage.note_nodes([view("node-1")])
    stage.await_connects(["node-1", "node-2"])
    stage.note_nodes([view("node-1")])
    assert not stage.is_back("node-1")
    stage.note_nodes([view("node-1", connects=2)])
    assert stage.is_back("node-1")
    stage.hub = "dead"
    assert not stage.is_back("node-1")


def test_statistics_that_shrink_are_noted_once(stage: Stage) -> None:
    stage.note_nodes([view("node-1", succeeded=5)])
    stage.note_nodes(None)
    stage.note_nodes([view("node-1", succeeded=4)])
    assert stage.statistics.problems == ["node node-1: succeeded was 5 and is 4"]


def test_what_a_dead_node_ran_is_read_before_it_is_buried(stage: Stage) -> None:
    write_truth(stage)
    stage.note_death("node-3", at=2.0)
    assert stage.running().total() == 0
    assert stage.snapshot().nodes[-1].state == "dead"
    stage.note_return("node-3")
    assert stage.outages[0].recovered_at is not None


async def test_the_state_of_a_node_follows_process_hub_and_view(stage: Stage) -> None:
    name = "node-1"

    def state() -> str:
        return stage.snapshot().nodes[0].state

    assert state() == "starting"
    await stage.fleet.nodes[name].start()
    try:
        assert state() == "starting"
        stage.note_nodes([view(name)])
        assert state() == "alone"
        stage.hub = "up"
        assert state() == "online"
        stage.note_nodes([view(name, online=False)])
        assert state() == "away"
    finally:
        await stage.fleet.nodes[name].kill()


def test_the_snapshot_counts_reconnects_and_not_the_first_connect(stage: Stage) -> None:
    stage.note_nodes([view("node-1", connects=3)])
    stage.happen("something", "good")
    snapshot = stage.snapshot()
    assert [node.reconnects for node in snapshot.nodes] == [2, 0, 0]
    assert snapshot.happenings[0].text == "something"
    assert (snapshot.accepted, snapshot.told) == (0, 0)
