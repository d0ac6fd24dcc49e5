from __future__ import annotations

import json

from dashboards.chaos.report import back_times, rows
from dashboards.installation.judgement import Finding
from tests.dashboards.chaos.examples import report

LOST = Finding(kind="lost", task_id="t1", sentence="task t1: it was accepted and has no outcome")
TWICE = Finding(kind="ran_twice", task_id="t2", sentence="task t2: twice")
UNEXPLAINED = Finding(kind="unexplained", task_id="t3", sentence="task t3: nothing explains it")


def test_a_clean_run_says_so() -> None:
    clean = report()
    assert clean.is_clean
    assert (clean.lost, clean.ran_twice, clean.unexplained_reruns, clean.wrong_outcomes) == (0, 0, 0, 0)
    assert all(is_well for _, _, is_well in rows(clean))


def test_each_finding_is_counted_as_what_it_is() -> None:
    broken = report(LOST, TWICE, UNEXPLAINED)
    assert not broken.is_clean
    assert (broken.lost, broken.ran_twice, broken.unexplained_reruns) == (1, 1, 1)
    assert [what for what, _, is_well in rows(broken) if not is_well] == [
        "lost",
        "run twice",
        "run again, unexplained",
    ]
    assert "task t1: it was accepted and has no outcome" in broken.problems


def test_a_node_that_did_not_come_back_is_no_clean_run() -> None:
    broken = report(nodes_back_at_end=3)
    assert not broken.is_clean
    assert broken.problems == ["1 of 4 nodes did not come back by themselves"]


def test_statistics_that_shrank_are_no_clean_run() -> None:
    assert not report(problems=["node a: succeeded was 3 and is 2"]).is_clean


def test_what_was_open_when_it_was_interrupted_is_accepted_and_not_lost() -> None:
    interrupted = report(still_open=2, was_interrupted=True)
    assert interrupted.is_clean
    assert (interrupted.accepted, interrupted.still_open, interrupted.lost) == (92, 2, 0)


def test_times_and_sizes_are_summed_up() -> None:
    found = report()
    assert found.all_nodes_back is not None
    assert (found.all_nodes_back.median_s, found.all_nodes_back.worst_s) == (1.5, 4.0)
    assert found.hub_memory_mib is not None
    assert (found.hub_memory_mib.start, found.hub_memory_mib.end) == (40, 50)
    assert found.node_memory_mib is not None
    assert (found.node_memory_mib.start, found.node_memory_mib.end) == (32, 33)
    assert (found.longest_stall_s, found.longest_stall_without_hub_s) == (1.23, 5.68)


def test_the_99th_percentile_is_one_of_the_values() -> None:
    assert back_times([]) is None
    times = back_times([float(number) for number in range(1, 201)])
    assert times is not None
    assert (times.median_s, times.p99_s, times.worst_s) == (100.5, 199.0, 200.0)


def test_the_json_object_has_the_figures_and_the_command() -> None:
    found = json.loads(report().as_json())
    assert found["lost"] == 0
    assert found["faults"]
    assert found["all_nodes_back"]["worst_s"] == 4.0
    assert found["command"].startswith("moorline chaos --minutes 1 --nodes 4")


def test_without_a_truth_file_it_says_what_it_rests_on() -> None:
    found = report(rests_on_truth=False, stalls_s=None, sizes_at_start={}, sizes_at_end={})
    assert any("what clients were told alone" in text for _, text, _ in rows(found))
    assert found.node_memory_mib is None
