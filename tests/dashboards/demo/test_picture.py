from __future__ import annotations

import dataclasses
import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from dashboards.charts import spark_line
from dashboards.demo.picture import rate_chart, render
from dashboards.demo.scenario import Phase, sentence
from dashboards.demo.snapshot import Happening, HubState, NodeLook, NodeState, Snapshot


def node(number: int, state: NodeState = "online", running: int = 3) -> NodeLook:
    return NodeLook(node_id=f"node-{number}", state=state, slots=4, running=running, done=40, waiting=2, reconnects=1)


BUSY = Snapshot(
    elapsed_s=12.3,
    phase=Phase.HUB_DEAD,
    hub="dead",
    tasks=400,
    accepted=250,
    outcomes={"succeeded": 139, "failed": 1},
    running=9,
    waiting=6,
    rates=(0.0, 4.0, 10.0, 22.0, 3.0),
    nodes=(node(1, "alone"), node(2, "dead", 0), node(3, "online", 9)),
    happenings=tuple(
        Happening(elapsed_s=number, text=f"event {number}: " + "w" * number, tone="bad") for number in range(60)
    ),
)
EMPTY = Snapshot(
    elapsed_s=0.0,
    phase=Phase.STARTING,
    hub="starting",
    tasks=400,
    accepted=0,
    outcomes={},
    running=0,
    waiting=0,
    rates=(),
    nodes=(),
    happenings=(),
)
DONE = dataclasses.replace(
    BUSY, phase=Phase.CHECKING, hub="up", verdict=(("0 lost of 400 accepted tasks", True), ("0 ran twice", True))
)


def lines_of(snapshot: Snapshot, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(render(snapshot, width, height))
    return capture.get().splitlines()


@pytest.mark.parametrize("snapshot", [BUSY, EMPTY, DONE])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (100, 30), (60, 22), (200, 60)])
def test_it_fits_every_size(snapshot: Snapshot, width: int, height: int) -> None:
    lines = lines_of(snapshot, width, height)
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width


def test_everything_that_matters_is_there_at_80_by_24() -> None:
    text = "\n".join(lines_of(BUSY, 80, 24))
    for words in (
        sentence(Phase.HUB_DEAD),
        "12.3 s",
        "140/400",
        "139 succeeded",
        "1 failed",
        "9 running",
        "6 to deliver",
        "killed (SIGKILL)",
        "on its own",
        "▮▮▮▯",
        "✓ at work",
        "◆ hub killed",
        "○ verdict",
        "reconnects",
        "event 59",
    ):
        assert words in text, words


def test_more_runs_than_slots_do_not_break_the_row() -> None:
    row = next(line for line in lines_of(BUSY, 80, 24) if "node-3" in line)
    assert "▮▮▮▮ " in row


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("hub", ["starting", "up", "dead"])
def test_every_phase_can_be_drawn(phase: Phase, hub: HubState) -> None:
    assert sentence(phase) in "\n".join(lines_of(dataclasses.replace(BUSY, phase=phase, hub=hub), 80, 24))


def test_the_verdict_stands_at_the_end() -> None:
    text = lines_of(DONE, 80, 24)
    assert "Nothing was lost, and nothing ran twice" in text[1]
    assert "✓ 0 ran twice" in text[-2]
    broken = dataclasses.replace(DONE, verdict=(("1 lost of 400 accepted tasks", False),))
    assert "Something went wrong" in lines_of(broken, 80, 24)[1]


def test_the_spark_line_rises_with_the_numbers() -> None:
    assert spark_line([0, 1, 2, 3, 4]) == "▁▃▅▇█"
    assert spark_line([0, 0]) == "▁▁"
    assert spark_line([]) == ""


def test_the_chart_shows_the_newest_and_names_the_highest() -> None:
    lines = [line.plain for line in rate_chart([float(number) for number in range(100)], 20, 3)]
    assert lines[0].endswith("█ 99/s")
    assert [line.plain for line in rate_chart([], 20, 2)] == ["  1/s", " "]
    assert all(cell_len(line) <= 20 for line in lines)


def test_one_burst_does_not_flatten_the_rest() -> None:
    assert spark_line([10.0, 10.0, 10.0, 500.0]) == "▃▃▃█"


def test_what_is_more_than_nothing_is_to_be_seen_in_the_chart() -> None:
    assert "▁" in rate_chart([1000.0, 1.0], 20, 3)[-1].plain
