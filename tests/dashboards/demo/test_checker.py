"""The checker finds each fault that is planted, and nothing where nothing is wrong."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.demo.checker import (
    Accepted,
    BadTruthLineError,
    Death,
    Event,
    Evidence,
    FindingKind,
    Told,
    TruthLine,
    Verdict,
    judge,
    parse_truth_line,
)


def line(
    event: Event, at: float, task: str = "t1", attempt: int = 1, node: str = "n1", instance: str = ""
) -> TruthLine:
    return TruthLine(task_id=task, attempt=attempt, instance=instance or f"{node}-a", node=node, event=event, at=at)


def run(start: float, end: float | None = None, **where: object) -> list[TruthLine]:
    lines = [line("start", start, **where)]  # type: ignore[arg-type]  # the tests' own shorthand
    return lines if end is None else [*lines, line("end", end, **where)]  # type: ignore[arg-type]


def told(task: str = "t1", outcome: str = "succeeded", at: float = 100.0) -> Told:
    return Told(task_id=task, outcome=outcome, at=at)


def judge_one(
    truth: list[TruthLine],
    *,
    tellings: list[Told] | None = None,
    deaths: list[Death] | None = None,
    attempts_max: int = 1,
    unreadable_lines: int = 0,
) -> Verdict:
    return judge(
        Evidence(
            truth=truth,
            accepted=[Accepted(task_id="t1", attempts_max=attempts_max)],
            told=[told()] if tellings is None else tellings,
            deaths=deaths or [],
            unreadable_lines=unreadable_lines,
        )
    )


def kinds(verdict: Verdict) -> set[FindingKind]:
    return {finding.kind for finding in verdict.findings}


class TestNothingIsWrong:
    def test_one_run_and_one_outcome(self) -> None:
        verdict = judge_one(run(1, 2))
        assert verdict.is_clean
        assert (verdict.tasks, verdict.outcomes) == (1, {"succeeded": 1})
        assert (verdict.reruns_after_death, verdict.retries) == ((), 0)

    def test_a_rerun_is_explained_by_the_death_of_the_node_that_held_the_first(self) -> None:
        truth = [*run(1), *run(6, 7, attempt=2, node="n2")]
        verdict = judge_one(truth, deaths=[Death(node="n1", at=5)])
        assert verdict.is_clean
        assert verdict.reruns_after_death == ("t1",)

    def test_also_when_the_run_had_ended_and_its_result_died_with_the_node(self) -> None:
        truth = [*run(1, 4), *run(6, 7, attempt=2, node="n1", instance="n1-b")]
        assert judge_one(truth, deaths=[Death(node="n1", at=5)]).is_clean

    def test_an_attempt_that_died_before_its_start_is_no_second_run(self) -> None:
        verdict = judge_one(run(6, 7, attempt=2), deaths=[Death(node="n1", at=5)])
        assert verdict.is_clean
        assert verdict.reruns_after_death == ()

    def test_a_retry_that_the_policy_allows(self) -> None:
        verdict = judge_one([*run(1, 2), *run(3, 4, attempt=2)], attempts_max=2)
        assert verdict.is_clean
        assert verdict.retries == 1

    def test_a_task_that_failed_and_one_that_expired_without_running(self) -> None:
        evidence = Evidence(
            truth=run(1, 2),
            accepted=[Accepted(task_id="t1"), Accepted(task_id="t2")],
            told=[told(outcome="failed"), told("t2", "expired")],
        )
        verdict = judge(evidence)
        assert verdict.is_clean
        assert verdict.outcomes == {"failed": 1, "expired": 1}

    def test_the_same_outcome_told_twice(self) -> None:
        assert judge_one(run(1, 2), tellings=[told(at=3), told(at=4)]).is_clean

    def test_a_task_whose_acceptance_nobody_was_told_of_may_run_once(self) -> None:
        assert judge(Evidence(truth=run(1, 2, task="t9"), accepted=[], told=[])).is_clean

    def test_a_start_and_an_end_at_the_same_moment(self) -> None:
        assert judge_one(run(1, 1)).is_clean


class TestPlantedFaults:
    def test_an_accepted_task_without_an_outcome_is_lost(self) -> None:
        verdict = judge_one(run(1, 2), tellings=[])
        assert kinds(verdict) == {"lost"}
        assert verdict.count("lost") == 1

    def test_the_same_attempt_started_twice_by_one_process(self) -> None:
        assert kinds(judge_one([*run(1, 2), *run(3, 4)])) == {"ran_twice"}

    def test_the_same_attempt_started_twice_on_two_nodes_is_not_explained_by_a_death(self) -> None:
        truth = [*run(1), *run(6, 7, node="n2")]
        assert kinds(judge_one(truth, deaths=[Death(node="n1", at=5)])) == {"ran_twice"}

    def test_a_second_attempt_without_a_reason(self) -> None:
        assert kinds(judge_one([*run(1, 2), *run(3, 4, attempt=2, node="n2")])) == {"ran_twice"}

    def test_a_second_attempt_after_the_death_of_another_node(self) -> None:
        truth = [*run(1, 2), *run(6, 7, attempt=2, node="n2")]
        assert kinds(judge_one(truth, deaths=[Death(node="n3", at=5)])) == {"ran_twice"}

    def test_a_second_attempt_before_the_death_of_the_node_of_the_first(self) -> None:
        truth = [*run(1, 2), *run(3, 4, attempt=2, node="n2")]
        assert kinds(judge_one(truth, deaths=[Death(node="n1", at=5)])) == {"ran_twice"}

    def test_a_second_attempt_when_the_first_began_only_after_the_death(self) -> None:
        truth = [*run(6, 7, instance="n1-b"), *run(8, 9, attempt=2, node="n2")]
        assert kinds(judge_one(truth, deaths=[Death(node="n1", at=5)])) == {"ran_twice"}

    def test_more_retries_than_the_policy_allows(self) -> None:
        truth = [*run(1, 2), *run(3, 4, attempt=2), *run(5, 6, attempt=3)]
        verdict = judge_one(truth, attempts_max=2)
        assert kinds(verdict) == {"ran_twice"}
        assert verdict.retries == 1

    def test_a_retry_of_an_attempt_that_has_not_ended(self) -> None:
        assert kinds(judge_one([*run(1), *run(3, 4, attempt=2)], attempts_max=2)) == {"ran_twice"}

    def test_an_old_attempt_that_starts_after_a_newer_one(self) -> None:
        truth = [*run(1, 2, attempt=2), *run(3, 4, attempt=1)]
        assert kinds(judge_one(truth, attempts_max=5)) == {"ran_twice"}

    def test_a_start_after_the_outcome_was_told(self) -> None:
        truth = [*run(1, 2), *run(6, 7, attempt=2)]
        assert kinds(judge_one(truth, attempts_max=2, tellings=[told(at=3)])) == {"ran_twice"}

    def test_two_attempts_that_overlap_even_if_a_death_would_explain_the_second(self) -> None:
        truth = [*run(1, 8), *run(6, 7, attempt=2, node="n2")]
        verdict = judge_one(truth, deaths=[Death(node="n1", at=5)])
        assert kinds(verdict) == {"overlapped", "ran_dead"}

    def test_two_different_outcomes(self) -> None:
        verdict = judge_one(run(1, 2), tellings=[told(outcome="failed", at=4), told(at=3)])
        assert kinds(verdict) == {"contradicted"}
        assert "succeeded and then to have failed" in verdict.findings[0].sentence
        assert verdict.outcomes == {"succeeded": 1}

    def test_succeeded_although_no_run_ended(self) -> None:
        assert kinds(judge_one(run(1))) == {"unfounded"}
        assert kinds(judge_one([])) == {"unfounded"}

    def test_a_dead_process_that_goes_on(self) -> None:
        verdict = judge_one(run(1, 6), deaths=[Death(node="n1", at=5)])
        assert kinds(verdict) == {"ran_dead"}

    def test_an_end_without_a_start(self) -> None:
        assert kinds(judge_one([line("end", 1)], tellings=[told(outcome="failed")])) == {"unreadable"}

    def test_an_end_by_another_process_than_the_start(self) -> None:
        truth = [*run(1), line("end", 2, instance="other")]
        assert kinds(judge_one(truth, tellings=[told(outcome="failed")])) == {"unreadable"}

    def test_lines_that_cannot_be_read(self) -> None:
        verdict = judge_one(run(1, 2), unreadable_lines=3)
        assert kinds(verdict) == {"unreadable"}
        assert not verdict.is_clean

    def test_an_unannounced_task_that_runs_twice(self) -> None:
        truth = [*run(1, 2, task="t9"), *run(3, 4, task="t9")]
        assert kinds(judge(Evidence(truth=truth, accepted=[], told=[]))) == {"ran_twice"}

    def test_a_task_with_two_findings_counts_once(self) -> None:
        verdict = judge_one([*run(1, 2), *run(3, 4), *run(5, 6)])
        assert len(verdict.findings) == 2
        assert verdict.count("ran_twice") == 1


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
    truth = [entry for number, name in enumerate(names) for entry in run(number, number + 0.5, task=name)]
    tellings = [told(name) for name in names]
    if fault == "forget":
        tellings = [entry for entry in tellings if entry.task_id != victim]
    elif fault == "repeat":
        truth += run(50, 51, task=victim)
    elif fault == "vanish":
        truth = [entry for entry in truth if entry.task_id != victim]
    else:
        tellings.append(told(victim, "failed", at=200))
    verdict = judge(Evidence(truth=truth, accepted=[Accepted(task_id=name) for name in names], told=tellings))
    assert {finding.task_id for finding in verdict.findings} == {victim}


class TestTruthLines:
    def test_a_line_is_read_as_it_was_written(self) -> None:
        written = line("start", 1.5)
        assert parse_truth_line(json.dumps(dataclasses.asdict(written))) == written

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "7",
            '{"task_id": "t"}',
            json.dumps({"task_id": "t", "attempt": 1, "instance": "i", "node": "n", "event": "middle", "at": 1}),
            json.dumps({"task_id": "t", "attempt": "x", "instance": "i", "node": "n", "event": "end", "at": 1}),
            json.dumps({"task_id": "t" * 5000, "attempt": 1, "instance": "i", "node": "n", "event": "end", "at": 1}),
        ],
    )
    def test_what_is_no_line_is_refused(self, text: str) -> None:
        with pytest.raises(BadTruthLineError, match="makes no sense"):
            parse_truth_line(text)
