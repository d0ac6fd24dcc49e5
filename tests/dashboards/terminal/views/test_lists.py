from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from dashboards.terminal.looks import BAD, DIM
from dashboards.terminal.picture import render
from dashboards.terminal.snapshot import Alert, Link, Listing, Snapshot
from dashboards.terminal.state import FilterInput, Help, Place, Question, State, View
from dashboards.terminal.texts import rate
from dashboards.terminal.views.tasks import progress_text, span
from moorline.views import Disconnect, Event, Explanation, NodeView, Problem, Progress, TaskView
from tests.dashboards.terminal.fleets import DEGRADED, NOW, WELL, looking_at, task


def shown(snapshot: Snapshot, state: State, width: int = 100, height: int = 30) -> str:
    return render(snapshot, state, width, height).plain


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (View.NODES, "No node has registered yet"),
        (View.TASKS, "There is no task yet"),
        (View.EVENTS, "Nothing has happened"),
    ],
)
def test_an_empty_list_says_what_would_fill_it(view: View, words: str) -> None:
    empty = replace(WELL, nodes=Listing(is_read=True), tasks=Listing(is_read=True), events=Listing(is_read=True))
    assert words in shown(empty, State(view=view))
    filtered = replace(empty, nodes=Listing(is_read=True, filter="x"), tasks=Listing(is_read=True, filter="x"))
    if view is not View.EVENTS:
        assert "Nothing matches this filter; esc goes back." in shown(filtered, State(view=view))


def test_a_list_that_is_not_read_yet_does_not_say_that_it_is_empty() -> None:
    text = shown(replace(WELL, nodes=Listing()), State(view=View.NODES))
    assert "nodes …" in text
    assert "registered" not in text


def test_a_filter_that_is_refused_is_told_in_full_beside_the_filter() -> None:
    problem = "filter, character 7: state is never 'qeued'; did you mean queued? there are: " + "word " * 30
    text = shown(
        replace(WELL, tasks=Listing(filter="state=qeued", problem=problem, is_read=True)), looking_at(View.TASKS)
    )
    assert "tasks state=qeued" in text
    assert "did you mean queued?" in text


def test_what_the_columns_have_no_room_for_is_told_below_of_the_chosen_row() -> None:
    text = shown(
        DEGRADED, replace(looking_at(View.NODES), nodes=replace(State().nodes, chosen_id="office-001", index=1)), 60
    )
    assert "last away 2m ago: no heartbeat for 30 s" in text
    assert "24h ago" not in text
    wide = shown(DEGRADED, looking_at(View.NODES), 200)
    assert "2 times away" in wide


def test_large_totals_are_told_in_thousands_and_millions() -> None:
    node = NodeView(id="n", state="online", slots=2, totals={"succeeded": 12_345_678.0, "failed": 1_234_567.0})
    text = shown(replace(WELL, nodes=Listing(rows=(node,), is_read=True)), State(view=View.NODES))
    assert "12.3M" in text
    assert "1.2M" in text


def test_tasks_in_another_order_say_of_how_many() -> None:
    assert "the newest 100 by name" in shown(WELL, replace(looking_at(View.TASKS), task_sort=2))


def test_events_tell_what_is_behind_them() -> None:
    rows = (
        Event(kind="task.failed", id=3, at=NOW, task_id="t1", name="hash", state="failed", attempt=3, node_id="n1",
              error=Problem(kind="error", type="KeyError", message="'x'")),
        Event(kind="task.progress", at=NOW, task_id="t1", name="hash", done=2.0, total=8.0, message="files"),
        Event(kind="task.progress", at=NOW, task_id="t1", name="hash", done=2.0),
        Event(kind="reset", at=NOW),
        Event(kind="alert.firing", at=NOW, name="queue_age", reason="the oldest task waits 4m"),
        Event(kind="node.uncordoned", at=NOW, node_id="n2"),
        Event(kind="hub.renewed", at=NOW),
    )  # fmt: skip
    text = shown(replace(WELL, events=Listing(rows=rows, is_read=True)), looking_at(View.EVENTS), 120)
    for words in (
        "attempt 3  KeyError: 'x'", "2 of 8  files", "events were missed", "▲ firing", "the oldest task waits 4m",
        "● uncordoned", "? renewed",
    ):  # fmt: skip
        assert words in text


def test_a_state_of_a_later_hub_has_its_word() -> None:
    later = msgspec.structs.replace(task(0), state="frozen")
    assert "? frozen" in shown(replace(WELL, tasks=Listing(rows=(later,), is_read=True)), looking_at(View.TASKS))


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(done=7), "7"),
        (Progress(done=1, total=4, message="x"), "━━────────  25% x"),
        (Progress(done=9, total=4), "━━━━━━━━━━ 100%"),
        (Progress(done=-1, total=4), "──────────   0%"),
    ],
)
def test_progress_is_a_bar_or_a_number(progress: Progress, text: str) -> None:
    assert progress_text(progress) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(0, "0/s"), (0.001, "<1/min"), (0.5, "30/min"), (0.99, "1.0/s"), (12.34, "12.3/s"), (1234.5, "1,234/s")],
)
def test_rare_things_are_told_per_minute(per_second: float, text: str) -> None:
    assert rate(per_second) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "250 ms"), (9.44, "9.4 s"), (12.7, "12 s"), (75.0, "1m 15s")])
def test_time_spans_do_not_flicker(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_help_tells_who_shows_a_hub_beside_it_what_q_does() -> None:
    beside = State(dialog=Help(), is_beside_hub=True)
    assert "Ctrl-C ends the hub" in shown(WELL, beside, 100, 40)
    assert "state=failed" in shown(WELL, beside, 100, 40)
    assert "leave" in shown(WELL, State(dialog=Help()), 40, 30)


def test_a_question_shows_its_number_once_it_is_known() -> None:
    question = Question(action="cancel", ids=("t",), label="1 task, hash (queued)", filter="state=queued")
    assert "a all … that match" in shown(WELL, State(dialog=question))
    assert "a all 1,234 that match" in shown(WELL, State(dialog=replace(question, matched=1234)))


def test_a_long_filter_is_seen_around_the_cursor() -> None:
    text = "begin " + "x" * 200 + " end"
    assert "end" in shown(WELL, State(dialog=FilterInput(text=text, cursor=len(text))), 40).splitlines()[-1]
    assert "begin" in shown(WELL, State(dialog=FilterInput(text=text, cursor=0)), 40).splitlines()[-1]
    assert "state=failed name~hash" in shown(WELL, State(dialog=FilterInput()), 60).splitlines()[-1]


def test_a_notice_stands_in_the_place_of_the_keys() -> None:
    assert shown(WELL, State(notice="✓ n1 drains")).splitlines()[-1].strip() == "✓ n1 drains"


def test_before_anything_was_heard_it_says_where_it_connects_to() -> None:
    blank = Snapshot(url="http://hub:8780", now_at=NOW)
    assert "CONNECTING: to http://hub:8780" in shown(blank, State())
    assert "WAITING" in shown(replace(blank, link=Link(state="live")), State())
    refused = replace(blank, link=Link(state="refused", reason="the token is unknown; give another"))
    assert "REFUSED  the token is unknown; give another" in shown(refused, State())


def test_a_picture_that_is_held_still_says_so() -> None:
    assert "STILL" in shown(WELL, State(is_still=True))


def test_a_fleet_without_trouble_has_none() -> None:
    assert "away" not in shown(WELL, State())


def test_a_task_that_waits_for_long_leads_to_the_queue() -> None:
    assert "1,284 queued, the oldest waits 4m 12s" in shown(DEGRADED, State(), 120, 40)


def test_what_happened_lately_is_told_where_there_is_room() -> None:
    assert "lately" in shown(WELL, State(), 100, 50)
    assert "lately" not in shown(WELL, State(), 80, 14)


def test_a_task_without_a_node_shows_where_it_must_run() -> None:
    aimed = TaskView(id="t", name="hash", state="queued", target="n7", submitted_at=NOW)
    assert "n7" in shown(replace(WELL, tasks=Listing(rows=(aimed,), is_read=True)), looking_at(View.TASKS))


def test_the_last_trouble_that_has_room_says_how_many_have_not() -> None:
    text = "no such file " * 20
    alerts = tuple(
        Alert(f"rule-{n}", "warning", "", "firing", text, since_at=NOW, is_silenced=False) for n in range(20)
    )
    crowded = replace(WELL, alerts=alerts)
    assert re.search(r"… +↓ \d+ more$", shown(crowded, State(), 80, 24), re.MULTILINE)
    lower = replace(State(), overview=Place(chosen_id="alert rule-10", index=10))
    assert re.search(r"… +↑ \d+ more$", shown(crowded, lower, 80, 24), re.MULTILINE)


@pytest.mark.parametrize("is_beside_hub", [True, False])
def test_on_the_smallest_usual_terminal_the_help_tells_what_each_glyph_means(is_beside_hub: bool) -> None:
    text = shown(WELL, State(dialog=Help(), is_beside_hub=is_beside_hub), 80, 24)
    assert "◷ scheduled" in text
    assert "◐ draining" in text
    assert "state=failed,lost" in text or is_beside_hub
    assert ("^C" in text) == is_beside_hub


def listed(*rows: TaskView) -> Snapshot:
    return replace(DEGRADED, tasks=Listing(rows=rows, is_read=True))


def test_a_task_that_waits_says_in_the_list_what_for() -> None:
    queued = TaskView(id="t", name="render", state="queued", submitted_at=NOW - 130, requires={"gpu": "h100"})
    assert "needs gpu=h100" in shown(listed(queued), looking_at(View.TASKS))
    aimed = msgspec.structs.replace(queued, requires={}, target="edge-003")
    assert "only on edge-003, which is unreachable" in shown(listed(aimed), looking_at(View.TASKS), 140)
    dated = msgspec.structs.replace(queued, deadline_at=NOW + 28)
    text = shown(listed(dated), looking_at(View.TASKS), 140)
    assert "needs gpu=h100, expires in 28s" in text
    assert "2m 10s" in text


def test_a_task_that_no_node_can_run_says_why_in_the_list() -> None:
    why = "no connected node has the handler with these labels"
    alert = Alert(
        "nobody", "warning", "render gpu=h100 on n7", "firing", f"no node can run task render gpu=h100 on n7: {why}",
        NOW - 9, False, "no_node_for_task",
    )  # fmt: skip
    queued = TaskView(id="t", name="render", state="queued", submitted_at=NOW, requires={"gpu": "h100"}, target="n7")
    text = shown(replace(listed(queued), alerts=(alert,)), looking_at(View.TASKS), 200)
    assert why in text


def test_below_the_list_stands_what_the_hub_says_of_the_chosen_task_that_waits() -> None:
    queued = TaskView(id="t", name="rendr", state="queued", submitted_at=NOW)
    said = Explanation(task_id="t", state="queued", summary="No node has a handler named rendr. Did you mean render?")
    assert "Did you mean render?" in shown(replace(listed(queued), explanation=said), looking_at(View.TASKS))
    other = msgspec.structs.replace(said, task_id="another")
    assert "Did you mean" not in shown(replace(listed(queued), explanation=other), looking_at(View.TASKS))


def test_a_task_on_a_node_that_is_away_does_not_look_as_if_it_ran_well() -> None:
    running = TaskView(
        id="t", name="hash", state="running", node="edge-003", started_at=NOW - 9, progress=Progress(done=1, total=4)
    )
    assert "its node is unreachable  ━━" in shown(listed(running), looking_at(View.TASKS), 140)
    back = replace(listed(running), stats=WELL.stats)
    assert "unreachable" not in shown(back, looking_at(View.TASKS), 140).splitlines()[6]


def test_a_node_that_is_away_tells_for_how_long_why_and_what_it_may_run_still() -> None:
    away = NodeView(
        id="n", state="unreachable", slots=8, slots_in_use=3, last_seen_at=NOW - 5, name="Lager 7",
        last_disconnect=Disconnect(at=NOW - 300, reason="no heartbeat for 30 s"),
    )  # fmt: skip
    text = shown(replace(WELL, nodes=Listing(rows=(away,), is_read=True)), looking_at(View.NODES), 80, 24)
    assert re.search(r"n +▲ unreachable +▲+ +3/8 +5m +0 +no heartbeat for", text)
    assert "Lager 7" in text


def test_names_that_begin_alike_can_be_told_apart_where_it_is_narrow() -> None:
    rows = tuple(NodeView(id=f"warehouse-north-rack-017-unit-{n:03}", state="online", slots=1) for n in (41, 42))
    text = shown(replace(WELL, nodes=Listing(rows=rows, is_read=True)), looking_at(View.NODES), 60, 20)
    assert "unit-041" in text
    assert "unit-042" in text


def test_a_chart_says_what_its_height_means() -> None:
    assert "max 26/min" in shown(DEGRADED, State(), 80, 24)
    high = shown(DEGRADED, State(), 120, 40)
    assert "max 26/min" in high
    assert "10 min" in high


def test_what_happens_to_many_nodes_at_once_is_one_line() -> None:
    storm = tuple(
        Event(kind="node.unreachable", id=900 - n, at=NOW - n / 100, node_id=f"node-{n:03}", reason="no heartbeat")
        for n in range(250)
    )
    before = Event(kind="node.draining", id=1, at=NOW - 60, node_id="porto-1")
    text = shown(replace(WELL, lately=(*storm, before)), State(), 100, 40)
    assert "node-000 and 249 more" in text
    assert "porto-1" in text


def test_the_line_of_a_filter_says_how_to_take_leave_or_empty_it() -> None:
    line = shown(WELL, State(dialog=FilterInput(text="state=failed", cursor=12)), 80).splitlines()[-1]
    assert line.endswith("enter apply  esc leave  ^U empty")


def test_nothing_that_fails_looks_like_it_while_nothing_does() -> None:
    def style_of(snapshot: Snapshot, text: str) -> set[str]:
        picture = render(snapshot, State(), 120, 40)
        line = next(each for each in picture.lines if text in each.plain)
        place = line.plain.index(text)
        return {str(span.style) for span in line.spans if span.start <= place < span.end}

    assert BAD in style_of(DEGRADED, "✗ 73")
    assert BAD not in style_of(WELL, "✗ 73")
    assert style_of(WELL, " 0/s") == {DIM}


def test_a_hub_without_nodes_says_how_to_run_one() -> None:
    lonely = replace(WELL, map=(), stats=msgspec.structs.replace(WELL.stats, nodes={"online": 0}))
    text = shown(lonely, State(), 120, 40)
    assert "OK: no node online" in text
    assert "once a node has registered; `moorline node --app …` runs one." in text


def test_alerts_that_ended_before_the_events_begin_are_told_lately_and_none_twice() -> None:
    def ended(at: float, name: str) -> Event:
        return Event(kind="alert.resolved", at=at, name=name, reason="it is over")

    newest = Event(kind="node.online", id=9, at=NOW - 60, node_id="porto-1")
    both = replace(WELL, lately=(newest,), over=(ended(NOW - 60.2, "twice"), ended(NOW - 3600, "disk_low")))
    text = shown(both, State(), 100, 40)
    assert text.index("porto-1") < text.index("disk_low")
    assert "twice" not in text
    assert "disk_low" in shown(replace(both, lately=()), State(), 100, 40)


def test_waits_that_nobody_feels_do_not_fill_a_chart() -> None:
    quick = replace(WELL, trends=replace(WELL.trends, columns={**WELL.trends.columns, "wait": (0.0009,) * 60}))
    line = next(text for text in shown(quick, State(), 80, 24).splitlines() if text.startswith("wait p95"))
    assert "█" not in line
    assert "▁▁▁▁" in line


def test_a_node_that_left_in_good_order_does_not_look_like_one_that_was_lost() -> None:
    gone = NodeView(
        id="n", state="gone", slots=4, slots_in_use=0, last_disconnect=Disconnect(at=NOW - 9, reason="bye: told to")
    )
    picture = render(replace(WELL, nodes=Listing(rows=(gone,), is_read=True)), State(view=View.NODES), 200, 24)
    line = next(text for text in picture.lines if "· gone" in text.plain)
    assert "▲" not in line.plain
    assert "····" in line.plain
    assert "bye: told to" in line.plain
