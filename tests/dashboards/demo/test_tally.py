from __future__ import annotations

from dashboards.demo.tally import Tally
from dashboards.installation.truth import Event, TruthLine


def line(event: Event, task: str, node: str) -> TruthLine:
    return TruthLine(task_id=task, attempt=1, instance=f"{node}-a", node=node, event=event, at=1.0)


def test_runs_and_results_are_counted_where_they_are() -> None:
    tally = Tally()
    tally.add(
        [line("start", "t1", "n1"), line("start", "t2", "n1"), line("start", "t3", "n2"), line("end", "t1", "n1")]
    )
    assert tally.running() == {"n1": 1, "n2": 1}
    assert tally.waiting() == {"n1": 1}
    assert tally.ended == {"n1": 1}


def test_what_was_told_waits_no_more_whichever_came_first() -> None:
    tally = Tally()
    tally.add([line("start", "t1", "n1"), line("start", "t2", "n1"), line("end", "t1", "n1")])
    tally.tell("t1")
    tally.tell("t2")
    tally.add([line("end", "t2", "n1")])
    assert tally.waiting().total() == 0
    assert tally.ended == {"n1": 2}


def test_what_a_dead_node_ran_runs_no_more() -> None:
    tally = Tally()
    tally.add([line("start", "t1", "n1"), line("start", "t2", "n2")])
    tally.bury("n1")
    assert tally.running() == {"n2": 1}
