"""All claims together: what is on top, what is in the table, and what a broken measurement does to the others."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks.claim import Claim, at_most
from benchmarks.report import print_report, rows
from benchmarks.standing_queues import StandingQueues
from benchmarks.suite import MEASUREMENTS, Broken, as_json, run

BULK = Claim(
    claim="bulk",
    figures={"tasks_per_s": 9000, "tasks_per_s_rounds": [8000, 9000], "cpu_us_per_task": {"hub": 40.5}},
    settings={"tasks": 20},
    conditions={},
)
TIMES = Claim(
    claim="times",
    figures={"one_at_a_time_ms": {"p50": 1.2, "p99": 3.4, "max": 9.9, "n": 10}},
    settings={},
    conditions={},
    targets=[at_most("p50", 2.5, 1.2, "ms"), at_most("p99", 3, 3.4, "ms")],
)


def test_the_figures_that_are_asked_for_most_stand_on_top() -> None:
    told = as_json([("throughput", BULK), ("latency", TIMES)], {"cores": 2})
    assert told["tasks_per_s"] == 9000
    assert told["rtt_ms"] == {"p50": 1.2, "p99": 3.4, "n": 10}
    assert told["settings"] == {"tasks": 20}
    assert [claim["name"] for claim in told["claims"]] == ["throughput", "latency"]
    assert told["conditions"] == {"cores": 2}


def test_a_broken_measurement_is_told_and_the_next_is_measured(tmp_path: Path) -> None:
    def broken(_: StandingQueues) -> Claim:
        raise RuntimeError("5 of 20 tasks are left")

    told = list(run(["a", "b"], StandingQueues(tmp_path), {"a": broken, "b": lambda _: BULK}))
    assert [name for name, _ in told] == ["a", "b"]
    assert isinstance(told[0][1], Broken)
    assert told[1][1] is BULK
    assert "5 of 20 tasks are left" in as_json(told, {})["claims"][0]["error"]


def test_the_table_has_a_row_for_each_target_and_for_each_figure_without_one() -> None:
    assert list(rows("latency", TIMES)) == [
        ("latency", "p50", "1.2 ms", "≤ 2.5 ms", "met"),
        ("latency", "p99", "3.4 ms", "≤ 3 ms", "missed"),
    ]
    assert [row[1:3] for row in rows("throughput", BULK)] == [
        ("tasks_per_s", "9,000"),
        ("cpu_us_per_task.hub", "40.5"),
    ]


def test_the_table_is_plain_where_there_is_no_terminal() -> None:
    paper = io.StringIO()
    print_report([("latency", TIMES), ("growing", Broken(claim="growing", error="a\nlost"))], Console(file=paper))
    text = paper.getvalue()
    assert "\x1b" not in text
    assert [line.split()[-1] for line in text.splitlines()] == ["target", "met", "missed", "broken"]


def test_every_claim_has_a_module_of_its_name_that_runs_alone() -> None:
    folder = Path(command.__file__).parent
    for name in MEASUREMENTS:
        assert 'if __name__ == "__main__":' in (folder / f"{name}.py").read_text()


def test_a_claim_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "perpetual_motion"])
    assert ended.value.code == 2
    assert "perpetual_motion" in capsys.readouterr().err
