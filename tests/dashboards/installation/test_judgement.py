"""What explains a run, and what does not. Times are seconds after an hour that does not matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.installation.clients import Submitted, Told
from dashboards.installation.faults import FaultKind
from dashboards.installation.judgement import Evidence, Judgement, judge
from dashboards.installation.outages import Outage
from dashboards.installation.truth import TruthLine

LEASE_S = 20.0


def start(at: float, attempt: int = 1, node: str = "a", instance: str = "") -> TruthLine:
    return TruthLine(task_id="t", attempt=attempt, instance=instance or f"{node}-1", node=node, event="start", at=at)


def end(at: float, attempt: int = 1, node: str = "a", instance: str = "") -> TruthLine:
    return replace(start(at, attempt, node, instance), event="end")


def told(at: float, outcome: str = "succeeded") -> Told:
    return Told(task_id="t", outcome=outcome, at=at)


def outage(kind: FaultKind, from_at: float, until_at: float, node: str = "a") -> Outage:
    return Outage(
        node=node,
        kind=kind,
        began_at=from_at,
        dead_at=from_at if kind == "node_killed" else None,
        mended_at=until_at,
        recovered_at=until_at + 1,
    )


def verdict(
    *truth: TruthLine, said: list[Told] | None = None, outages: list[Outage] | None = None, **task: Any
) -> Judgement:
    return judge(
        Evidence(
            submitted=[Submitted(**{"task_id": "t", "at": 0.0, **task})],
            told=[told(100.0)] if said is None else said,
            truth=truth,
            outages=outages or [],
            lease_s=LEASE_S,
            now_at=200.0,
        )
    )


def found(judgement: Judgement) -> list[str]:
    return [finding.kind for finding in judgement.findings]


def test_a_task_that_ran_once_and_was_told_is_well() -> None:
    judgement = verdict(start(1), end(2))
    assert not judgement.findings
    assert (judgement.accepted, judgement.outcomes, judgement.reruns) == (1, {"succeeded": 1}, {})


def test_the_same_outcome_may_be_told_twice() -> None:
    assert not verdict(start(1), end(2), said=[told(3), told(4)]).findings


def test_nobody_knows_whether_it_ought_to_fail_then_both_are_well() -> None:
    for outcome in ("succeeded", "failed"):
        assert not verdict(start(1), end(2), said=[told(3, outcome)], fails_for_good=None).findings


# --- lost -------------------------------------------------------------------------------------------------------------


def test_an_accepted_task_without_an_outcome_is_lost() -> None:
    assert found(verdict(start(1), end(2), said=[])) == ["lost"]


def test_a_success_of_which_no_run_ended_is_lost_work() -> None:
    assert found(verdict(start(1))) == ["lost"]
    assert found(verdict()) == ["lost"]


# --- run again --------------------------------------------------------------------------------------------------------


def test_a_second_attempt_without_a_reason_is_unexplained() -> None:
    judgement = verdict(start(1), end(2), start(3, 2), end(4, 2))
    assert found(judgement) == ["unexplained"]
    assert "attempt 2 on a" in judgement.findings[0].sentence
    assert judgement.reruns == {}


def test_the_death_of_the_node_explains_it() -> None:
    judgement = verdict(start(1), start(9, 2, "b"), end(10, 2, "b"), outages=[outage("node_killed", 5, 6)])
    assert not judgement.findings
    assert judgement.reruns == {"node_killed": 1}


def test_also_where_the_run_had_just_ended_and_its_result_died_with_the_node() -> None:
    again = (start(6, 2, instance="a-2"), end(7, 2, instance="a-2"))
    assert not verdict(start(1), end(4), *again, outages=[outage("node_killed", 5, 6)]).findings


def test_an_attempt_that_died_before_its_start_is_no_second_run() -> None:
    judgement = verdict(start(6, 2, "b"), end(7, 2, "b"), outages=[outage("node_killed", 5, 6)])
    assert (judgement.findings, judgement.reruns) == ((), {})


def test_a_death_that_came_before_the_first_run_or_after_the_second_does_not() -> None:
    killed = [outage("node_killed", 5, 6)]
    after = verdict(
        start(6, 1, instance="a-2"), end(7, 1, instance="a-2"), start(8, 2, "b"), end(9, 2, "b"), outages=killed
    )
    before = verdict(start(1), end(2), start(3, 2, "b"), end(4, 2, "b"), outages=killed)
    assert found(after) == found(before) == ["unexplained"]


def test_the_death_of_another_node_does_not() -> None:
    judgement = verdict(start(1), end(8), start(9, 2, "b"), end(10, 2, "b"), outages=[outage("node_killed", 5, 6, "b")])
    assert found(judgement) == ["unexplained"]


def test_a_death_long_after_the_end_does_not_for_the_result_was_in_the_outbox() -> None:
    judgement = verdict(start(1), end(2), start(30, 2, "b"), end(31, 2, "b"), outages=[outage("node_killed", 20, 21)])
    assert found(judgement) == ["unexplained"]


@pytest.mark.parametrize("kind", ["node_paused", "link_black_hole", "link_black_hole_up", "hub_killed", "hub_paused"])
def test_a_silence_as_long_as_the_lease_explains_it(kind: FaultKind) -> None:
    judgement = verdict(start(4), end(25), start(31, 2, "b"), end(32, 2, "b"), outages=[outage(kind, 5, 35)])
    assert not judgement.findings
    assert judgement.reruns == {kind: 1}


def test_a_shorter_silence_does_not() -> None:
    judgement = verdict(start(4), end(12), start(14, 2, "b"), end(15, 2, "b"), outages=[outage("node_paused", 5, 13)])
    assert found(judgement) == ["unexplained"]


def test_a_node_counts_its_lease_from_a_little_before_the_silence() -> None:
    nearly = [outage("node_paused", 5, 22.5)]
    assert not verdict(start(4), end(12), start(24, 2, "b"), end(25, 2, "b"), outages=nearly).findings
    too_short = [outage("node_paused", 5, 21.5)]
    assert found(verdict(start(4), end(12), start(24, 2, "b"), end(25, 2, "b"), outages=too_short)) == ["unexplained"]


def test_a_kill_that_was_begun_and_of_which_nobody_has_seen_the_end_explains_nothing() -> None:
    begun = [replace(outage("node_killed", 5, 6), dead_at=None)]
    assert found(verdict(start(1), end(4), start(9, 2, "b"), end(10, 2, "b"), outages=begun)) == ["unexplained"]


def test_silences_that_touch_each_other_are_one() -> None:
    outages = [outage("link_black_hole", 5, 15), outage("hub_killed", 15.5, 29)]
    judgement = verdict(start(4), end(24), start(31, 2, "b"), end(32, 2, "b"), outages=outages)
    assert not judgement.findings


def test_a_link_that_is_only_slow_explains_nothing() -> None:
    judgement = verdict(start(4), end(24), start(31, 2, "b"), end(32, 2, "b"), outages=[outage("link_late", 5, 35)])
    assert found(judgement) == ["unexplained"]


def test_before_the_lease_has_run_out_a_long_silence_explains_nothing() -> None:
    judgement = verdict(start(4), end(9), start(10, 2, "b"), end(11, 2, "b"), outages=[outage("node_paused", 5, 35)])
    assert found(judgement) == ["unexplained"]


def test_a_handler_that_failed_and_may_be_tried_again_explains_it() -> None:
    judgement = verdict(start(1), end(2), start(3, 2), end(4, 2), fails_until=1)
    assert not judgement.findings
    assert judgement.reruns == {"handler_failed": 1}


def test_a_handler_that_did_not_fail_does_not() -> None:
    judgement = verdict(start(1), end(2), start(3, 2), end(4, 2), start(5, 3), end(6, 3), fails_until=1)
    assert found(judgement) == ["unexplained"]


def test_a_handler_that_failed_is_the_reason_even_if_its_node_died_soon_after() -> None:
    judgement = verdict(
        *(start(1), end(2), start(9, 2, "b"), end(10, 2, "b")),
        outages=[outage("node_killed", 4, 5)],
        fails_until=1,
        may_run_again=False,
    )
    assert not judgement.findings
    assert judgement.reruns == {"handler_failed": 1}


def test_what_must_not_run_again_is_not_explained_by_death() -> None:
    judgement = verdict(
        start(1), start(9, 2, "b"), end(10, 2, "b"), outages=[outage("node_killed", 5, 6)], may_run_again=False
    )
    assert found(judgement) == ["unexplained"]


# --- run twice --------------------------------------------------------------------------------------------------------


def test_an_attempt_that_starts_twice_ran_twice() -> None:
    assert found(verdict(start(1), end(2), start(3), end(4))) == ["ran_twice"]
    assert found(verdict(start(1), end(2), start(3, 1, "b"), end(4, 1, "b"))) == ["ran_twice"]


def test_a_death_does_not_explain_that_the_same_attempt_starts_again() -> None:
    again = (start(6, 1, "b"), end(7, 1, "b"))
    assert found(verdict(start(1), *again, outages=[outage("node_killed", 5, 6)])) == ["ran_twice"]


def test_a_task_with_two_findings_counts_once() -> None:
    judgement = verdict(start(1), end(2), start(3), end(4), start(5), end(6))
    assert found(judgement) == ["ran_twice", "ran_twice"]
    assert judgement.count("ran_twice") == 1


def test_an_older_attempt_after_a_newer_one_ran_twice() -> None:
    assert "ran_twice" in found(verdict(start(1, 2), end(2, 2), start(3, 1, "b"), end(4, 1, "b")))


def test_two_attempts_at_once_ran_twice_even_if_the_second_is_explained() -> None:
    judgement = verdict(
        start(4), start(31, 2, "b"), end(32, 2, "b"), end(33), outages=[outage("link_black_hole", 5, 35)]
    )
    assert found(judgement) == ["ran_twice"]


def test_a_process_that_stood_still_may_end_its_run_when_it_goes_on() -> None:
    paused = [outage("node_paused", 5, 35)]
    assert not verdict(start(4), start(31, 2, "b"), end(32, 2, "b"), end(35.2), outages=paused).findings
    late = verdict(start(4), start(31, 2, "b"), end(32, 2, "b"), end(45), outages=paused)
    assert found(late) == ["ran_twice"]


def test_a_run_after_the_outcome_was_told_ran_twice() -> None:
    judgement = verdict(start(1), end(2), start(5, 2), end(6, 2), said=[told(3)], fails_until=1)
    assert found(judgement) == ["ran_twice"]


def test_what_was_cancelled_may_start_if_it_was_on_its_way() -> None:
    cancelled = {"said": [told(3, "cancelled")], "cancelled_at": 2.9}
    assert not verdict(start(4), end(5), **cancelled).findings
    assert found(verdict(start(40), end(41), **cancelled)) == ["ran_twice"]
    assert not verdict(start(36), end(37), outages=[outage("node_paused", 2, 35)], **cancelled).findings
    for other in (outage("node_paused", 1, 2), outage("node_paused", 20, 38)):
        assert found(verdict(start(39), end(39.5), outages=[other], **cancelled)) == ["ran_twice"]


def test_a_process_that_goes_on_after_its_death_ran_twice() -> None:
    judgement = verdict(start(1), end(9), outages=[outage("node_killed", 5, 6)])
    assert found(judgement) == ["ran_twice"]
    assert "4.000 s after its death" in judgement.findings[0].sentence
    other = replace(start(4), task_id="u")
    assert "ran_twice" in found(verdict(other, start(9), end(10), outages=[outage("node_killed", 5, 6)]))


def test_the_next_process_of_the_node_may_go_on() -> None:
    other = replace(start(4), task_id="u")
    again = (start(9, instance="a-2"), end(10, instance="a-2"))
    assert not verdict(other, *again, outages=[outage("node_killed", 5, 6)]).findings


# --- outcomes ---------------------------------------------------------------------------------------------------------


def test_two_different_outcomes_are_one_too_many() -> None:
    judgement = verdict(start(1), end(2), said=[told(4, "failed"), told(3)])
    assert found(judgement) == ["wrong_outcome"]
    assert "succeeded and then to have failed" in judgement.findings[0].sentence
    assert judgement.outcomes == {"succeeded": 1}


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "lost", "expired"])
def test_an_outcome_that_nothing_gave_rise_to_is_wrong(outcome: str) -> None:
    assert found(verdict(start(1), end(2), said=[told(3, outcome)])) == ["wrong_outcome"]


def test_what_fails_for_good_must_not_succeed() -> None:
    assert found(verdict(start(1), end(2), fails_for_good=True)) == ["wrong_outcome"]
    assert not verdict(start(1), end(2), said=[told(3, "failed")], fails_for_good=True).findings


def test_a_task_is_told_lost_only_if_it_must_not_run_again_and_a_node_was_gone() -> None:
    said = [told(30, "lost")]
    death = [outage("node_killed", 5, 6)]
    assert not verdict(start(1), said=said, outages=death, may_run_again=False).findings
    assert found(verdict(start(1), said=said, outages=death)) == ["wrong_outcome"]
    assert found(verdict(start(1), said=said, may_run_again=False)) == ["wrong_outcome"]


def test_a_long_silence_between_submit_and_outcome_makes_a_task_lost_too() -> None:
    said = [told(60, "lost")]

    def lost_with(silence: Outage) -> list[str]:
        return found(verdict(start(31), said=said, outages=[silence], may_run_again=False, at=30.0))

    assert lost_with(outage("node_paused", 25, 55)) == []
    assert lost_with(outage("node_paused", 40, 45)) == ["wrong_outcome"]
    assert lost_with(outage("node_paused", 1, 28)) == ["wrong_outcome"]
    assert lost_with(outage("node_paused", 70, 95)) == ["wrong_outcome"]


# --- the truth itself -------------------------------------------------------------------------------------------------


def test_an_end_without_a_start_spoils_the_verdict() -> None:
    assert found(verdict(start(1), end(2), end(3))) == ["unreadable"]


def test_lines_that_cannot_be_read_spoil_the_verdict() -> None:
    evidence = Evidence(submitted=[], told=[], truth=[], lease_s=LEASE_S, now_at=1.0, unreadable_lines=2)
    assert found(judge(evidence)) == ["unreadable"]


def test_without_a_truth_file_only_outcomes_are_judged() -> None:
    evidence = Evidence(
        submitted=[Submitted(task_id="t", at=0.0)], told=[told(1)], truth=None, lease_s=LEASE_S, now_at=2.0
    )
    assert not judge(evidence).findings
    assert found(judge(replace(evidence, told=[]))) == ["lost"]


def test_runs_of_a_task_whose_acceptance_nobody_heard_of_are_judged_too() -> None:
    twice = [start(1), end(2), start(3), end(4)]
    evidence = Evidence(submitted=[], told=[], truth=twice, lease_s=LEASE_S, now_at=9.0)
    assert found(judge(evidence)) == ["ran_twice"]


# --- one among many ---------------------------------------------------------------------------------------------------


@given(
    count=st.integers(1, 20),
    faulty=st.integers(0, 19),
    fault=st.sampled_from(["forget", "repeat", "vanish", "contradict"]),
)
def test_one_fault_among_many_healthy_tasks_is_found_and_blamed_on_its_task(
    count: int, faulty: int, fault: str
) -> None:
    names = [f"t{number}" for number in range(count)]
    victim = names[faulty % count]
    truth = [replace(line, task_id=name) for at, name in enumerate(names) for line in (start(at), end(at + 0.5))]
    said = [replace(told(100), task_id=name) for name in names]
    if fault == "forget":
        said = [entry for entry in said if entry.task_id != victim]
    elif fault == "repeat":
        truth += [replace(line, task_id=victim) for line in (start(50), end(51))]
    elif fault == "vanish":
        truth = [line for line in truth if line.task_id != victim]
    else:
        said.append(replace(told(200, "failed"), task_id=victim))
    submitted = [Submitted(task_id=name, at=0.0) for name in names]
    judgement = judge(Evidence(submitted=submitted, told=said, truth=truth, lease_s=LEASE_S, now_at=300.0))
    assert {finding.task_id for finding in judgement.findings} == {victim}
