from __future__ import annotations

import dataclasses
import json

import pytest

from dashboards.installation.truth import BadTruthLineError, Run, TruthLine, parse_truth_line, runs_by_task

START = TruthLine(task_id="t", attempt=1, instance="i", node="n", event="start", at=1.5)
END = dataclasses.replace(START, event="end", at=2.5)


def test_starts_are_paired_with_ends_whatever_their_order_in_the_file() -> None:
    other = dataclasses.replace(START, task_id="u")
    assert runs_by_task([END, other, START]) == ({"t": [Run(start=START, end=END)], "u": [Run(start=other)]}, [])


def test_an_end_belongs_to_the_start_of_its_own_attempt_and_process() -> None:
    for foreign in (dataclasses.replace(END, instance="j"), dataclasses.replace(END, attempt=2)):
        assert runs_by_task([START, foreign]) == ({"t": [Run(start=START)]}, [foreign])
    assert runs_by_task([END]) == ({}, [END])


def test_a_start_and_an_end_at_the_same_moment_are_a_run() -> None:
    at_once = dataclasses.replace(END, at=START.at)
    assert runs_by_task([START, at_once]) == ({"t": [Run(start=START, end=at_once)]}, [])


def test_a_line_is_read_as_it_was_written() -> None:
    written = START
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
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(BadTruthLineError, match="makes no sense"):
        parse_truth_line(text)
