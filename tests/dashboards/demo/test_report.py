from __future__ import annotations

import dataclasses
import json

import pytest

from dashboards.demo.report import Report, make_report, verdict_lines
from dashboards.installation.judgement import Finding, FindingKind, Judgement

WELL = Judgement(
    accepted=10, outcomes={"succeeded": 8, "failed": 1, "expired": 1}, reruns={"node_killed": 1}, findings=()
)


def report_of(judgement: Judgement, problems: tuple[str, ...] = ()) -> Report:
    return make_report(
        judgement, hub_kills=1, node_kills=1, nodes_back_s=0.876, statistics_problems=problems, seconds=27.31
    )


def test_the_object_has_these_fields_in_this_order() -> None:
    text = report_of(WELL).as_json()
    assert "\n" not in text
    assert list(json.loads(text).items()) == [
        ("tasks", 10),
        ("succeeded", 8),
        ("failed", 2),
        ("lost", 0),
        ("ran_twice", 0),
        ("reruns_after_node_death", 1),
        ("hub_kills", 1),
        ("node_kills", 1),
        ("nodes_back_s", 0.88),
        ("statistics_kept", True),
        ("seconds", 27.3),
    ]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("lost", "lost"),
        ("ran_twice", "ran_twice"),
        ("unexplained", "ran_twice"),
        ("wrong_outcome", "ran_twice"),
        ("unreadable", "ran_twice"),
    ],
)
def test_nothing_that_the_judge_finds_goes_unreported(kind: FindingKind, field: str) -> None:
    report = report_of(dataclasses.replace(WELL, findings=(Finding(kind=kind, task_id="t1", sentence="x"),)))
    assert getattr(report, field) == 1
    assert not report.is_well
    assert not all(holds for _, holds in verdict_lines(report))


def test_lost_statistics_are_not_well() -> None:
    report = report_of(WELL, ("shrunk",))
    assert not report.is_well
    assert ("statistics were lost", False) in verdict_lines(report)


def test_all_is_well_in_words() -> None:
    assert verdict_lines(report_of(WELL)) == [
        ("0 lost of 10 accepted tasks", True),
        ("0 ran twice; 1 ran again because their node was killed", True),
        ("every node's statistics were kept", True),
    ]
