from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from dashboards.terminal.picture import render
from dashboards.terminal.snapshot import Attempt, Detail, Link, Listing, Snapshot
from dashboards.terminal.state import State, View
from moorline.views import Explanation, LogLine, NodeReason, Problem, Progress, TaskLogs, TaskView
from tests.dashboards.terminal.fleets import DEGRADED, NOW, WELL

OPEN = State(view=View.TASK, task_id="t1")
QUEUED = TaskView(id="t1", name="hash", state="queued", submitted_at=NOW - 9, requires={"gpu": "h100"}, priority=5)


def shown(detail: Detail | None, state: State = OPEN, height: int = 60) -> str:
    seen: Snapshot = replace(WELL, detail=detail)
    return render(seen, state, 100, height).plain


def of(task: TaskView, **more: Any) -> Detail:
    return Detail(task_id="t1", task=task, **more)


def test_without_a_task_it_says_how_to_open_one() -> None:
    assert "No task is open" in shown(None, State(view=View.TASK))


def test_while_it_is_read_it_says_so() -> None:
    assert "Reading task t1" in shown(None)
    assert "Reading task t1" in shown(Detail(task_id="another"))


def test_what_is_wrong_with_it_is_told() -> None:
    assert "✗ there is no task t1" in shown(Detail(task_id="t1", problem="there is no task t1"))


def test_a_task_that_waits_says_why_with_the_nodes_that_could_run_it_first() -> None:
    nodes = [NodeReason(node_id=f"n{number:02}", reason="labels", detail="gpu is missing") for number in range(50)]
    nodes.append(NodeReason(node_id="z1", reason="busy", detail="4 of 4 slots are in use"))
    explanation = Explanation(task_id="t1", state="queued", summary="It waits.", position=1234, nodes=nodes)
    text = shown(of(QUEUED, explanation=explanation), height=70)
    assert "why  It waits. (number 1,234 in the queue)" in text
    assert text.index("z1") < text.index("n00")
    assert "and 11 more nodes" in text
    assert "requires  gpu=h100" in text
    assert "priority  5" in text


def test_why_stands_before_everything_else() -> None:
    explanation = Explanation(task_id="t1", state="queued", summary="No node has a handler named hash.")
    lines = shown(of(QUEUED, explanation=explanation)).splitlines()
    place = next(number for number, text in enumerate(lines) if "○ queued  hash" in text)
    assert lines[place + 1] == "why  No node has a handler named hash."
    failed = msgspec.structs.replace(QUEUED, state="failed", error=Problem(kind="error", type="KeyError", message="x"))
    lines = shown(of(failed)).splitlines()
    assert lines[lines.index("✗ failed  hash") + 1] == "KeyError: x"


def test_the_error_of_an_earlier_attempt_is_told_as_that() -> None:
    again = msgspec.structs.replace(
        QUEUED, error=Problem(kind="error", type="KeyError", message="x", traceback="t1\nt2")
    )
    text = shown(of(again))
    assert "an earlier attempt: KeyError: x" in text
    assert text.index("KeyError: x") < text.index("submitted") < text.index("traceback")


def test_a_task_on_a_node_that_is_away_says_what_the_hub_waits_for() -> None:
    running = msgspec.structs.replace(QUEUED, state="running", node="edge-003", started_at=NOW - 4)
    text = render(replace(DEGRADED, detail=of(running)), OPEN, 120, 40).plain
    assert "Its node is unreachable." in text


def test_until_a_task_is_read_what_the_list_knows_of_it_is_shown() -> None:
    known = replace(WELL, detail=None, tasks=Listing(rows=(QUEUED,), is_read=True))
    assert "requires  gpu=h100" in render(known, OPEN, 100, 40).plain
    away = replace(WELL, detail=None, link=Link(state="away", reason="Connection refused"))
    text = render(away, OPEN, 100, 40).plain
    assert "was not read yet" in text
    assert "Reading" not in text


def test_a_task_that_runs_shows_how_far_it_is_and_a_bar_that_grows() -> None:
    running = msgspec.structs.replace(
        QUEUED, state="running", attempt=2, node="n1", started_at=NOW - 4, progress=Progress(done=3, total=12)
    )
    attempts = (
        Attempt(1, "n0", NOW - 8, NOW - 6, "returned", None, None),
        Attempt(2, "n1", NOW - 4, None, None, None, None),
    )
    text = shown(of(running, attempts=attempts))
    assert "25%" in text
    assert "▸ running 4.0 s" in text
    assert "returned" in text


def test_a_task_that_is_due_later_says_when() -> None:
    scheduled = msgspec.structs.replace(QUEUED, state="scheduled", due_at=NOW + 90, deadline_at=NOW + 600)
    text = shown(of(scheduled))
    assert "(in 90s)" in text
    assert "deadline" in text


def test_its_log_is_newest_first_and_keeps_its_lines() -> None:
    lines = [
        LogLine(at=NOW - 2, attempt=1, level="INFO", message="beginning\n  and its second line"),
        LogLine(at=NOW - 1, attempt=1, level="ERROR", message=""),
    ]
    text = shown(of(QUEUED, logs=TaskLogs(lines=lines, dropped=7)))
    assert "7 lines were dropped" in text
    assert text.index("ERROR") < text.index("beginning")
    assert "and its second line" in text


def test_a_long_document_is_cut_and_says_so() -> None:
    assert "more lines" in shown(of(QUEUED, payload="\n".join(str(number) for number in range(900))), height=600)


def test_attempts_that_never_began_have_no_bar() -> None:
    assert "attempts" not in shown(of(QUEUED, attempts=(Attempt(1, "n1", None, None, "returned", None, None),)))
    two = (Attempt(1, "n1", None, None, "lost", None, None), Attempt(2, "n2", NOW - 3, NOW, "succeeded", 3.0, None))
    assert "▲ lost" in shown(of(QUEUED, attempts=two))
