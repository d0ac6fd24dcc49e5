from __future__ import annotations

import unicodedata
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from dashboards.terminal.keys import Key
from dashboards.terminal.picture import Picture, render
from dashboards.terminal.pressing import Sight, press
from dashboards.terminal.reading import document
from dashboards.terminal.snapshot import Detail, Link, Listing, Snapshot
from dashboards.terminal.state import FilterInput, Help, Question, State, View
from moorline.views import NodeView, Problem, Progress, Rates, TaskView
from tests.dashboards.terminal import redraw
from tests.dashboards.terminal.fleets import AWAY, DEGRADED, FLEETS, NOW, SIZES, WELL, looking_at, stats

BLANK = Snapshot(url="http://127.0.0.1:8780", now_at=NOW)
ALL = [*FLEETS.values(), BLANK]


def assert_fits(picture: Picture, width: int, height: int) -> None:
    assert len(picture.lines) == height
    for text in picture.lines:
        assert text.cell_len == width
        assert not [character for character in text.plain if unicodedata.category(character) in {"Cc", "Cs"}]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("fleet", FLEETS)
def test_the_picture_is_the_one_that_is_stored(fleet: str, size: tuple[int, int]) -> None:
    stored = redraw.path_of(fleet, *size).read_text(encoding="utf-8")
    drawn = redraw.drawn(fleet, *size)
    assert drawn == stored, "if it is meant to look like this, run: python -m tests.dashboards.terminal.redraw"


@pytest.mark.parametrize("view", View)
def test_the_same_values_give_the_same_picture(view: View) -> None:
    state = looking_at(view)
    assert render(DEGRADED, state, 80, 24) == render(DEGRADED, state, 80, 24)


@settings(max_examples=80, deadline=None)
@given(
    width=st.integers(20, 230),
    height=st.integers(5, 70),
    view=st.sampled_from(View),
    fleet=st.sampled_from(ALL),
    dialog=st.sampled_from(
        [
            None,
            Help(),
            FilterInput(text="state=failed name~東京 " * 20, cursor=30),
            Question(action="cancel", ids=("t",), label="1 task, " + "n" * 90, filter="state=failed", matched=1234),
        ]
    ),
)
def test_no_size_raises_or_overflows(
    width: int, height: int, view: View, fleet: Snapshot, dialog: FilterInput | Help | Question | None
) -> None:
    assert_fits(render(fleet, replace(looking_at(view), dialog=dialog), width, height), width, height)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (19, 3), (20, 4), (300, 1)])
def test_a_screen_that_is_too_small_for_anything_does_not_raise(width: int, height: int) -> None:
    for view in View:
        assert_fits(render(DEGRADED, looking_at(view), width, height), width, height)


anything = st.text(st.characters(exclude_categories=()), max_size=40)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=anything, other=anything, width=st.integers(20, 140))
def test_what_people_wrote_never_steers_the_terminal(text: str, other: str, width: int) -> None:
    problem = Problem(kind="error", type=text, message=other, traceback=f"{text}\n{other}")
    task = TaskView(
        id="t", name=text, state="running", node=other, error=problem, labels={text: other}, payload={text: other},
        progress=Progress(done=1, total=2, message=text), submitted_at=NOW, started_at=NOW, attempt=1,
    )  # fmt: skip
    node = NodeView(id="n", name=text, state="online", version=other, labels={other: text}, slots=3)
    hostile = replace(
        WELL,
        url=text,
        link=Link(state="away", reason=other),
        nodes=Listing(rows=(node,), filter=text, is_read=True),
        tasks=Listing(rows=(task,), problem=other, is_read=True),
        events=Listing(rows=(msgspec.structs.replace(WELL.events.rows[0], name=text, reason=other),), is_read=True),
        detail=Detail(task_id="t", task=task, payload=document(task.payload), value=other),
    )
    for view in View:
        state = State(view=view, task_id="t", notice=text)
        assert_fits(render(hostile, state, width, 30), width, 30)


def test_wide_characters_keep_their_columns() -> None:
    node = NodeView(id="n1", state="online", labels={"site": "東京都"}, slots=4, slots_in_use=1)
    nodes = (node, msgspec.structs.replace(node, id="👩‍🚀❤️ラック"))
    picture = render(replace(WELL, nodes=Listing(rows=nodes, is_read=True)), State(view=View.NODES), 120, 20)
    first, second = (text.plain for text in picture.lines if "● online" in text.plain)
    assert cell_len(first.partition("●")[0]) == cell_len(second.partition("●")[0])


def test_ascii_is_ascii_and_as_wide() -> None:
    for view in View:
        picture = render(DEGRADED, looking_at(view), 100, 30)
        told = picture.in_ascii()
        assert all(text.plain.isascii() for text in told.lines)
        assert [text.cell_len for text in told.lines] == [100] * 30


def test_each_state_has_its_word_not_only_a_colour() -> None:
    plain = render(DEGRADED, looking_at(View.TASKS), 80, 24).plain
    for word in ("queued", "running", "succeeded", "failed", "scheduled", "lost"):
        assert word in plain


def test_a_hub_that_is_away_is_told_with_the_reason_and_the_last_picture_is_grey() -> None:
    picture = render(AWAY, looking_at(View.NODES), 80, 24)
    assert "HUB AWAY  for 12s: Connection refused." in picture.plain
    assert "data 14s old" in picture.plain
    body = [text for text in picture.lines if "● online" in text.plain]
    assert {str(span.style) for text in body for span in text.spans} == {"dim", "dim reverse"}


def test_a_hub_that_says_nothing_is_told_before_it_counts_as_away() -> None:
    silent = replace(WELL, now_at=NOW + 4)
    for view in View:
        assert "HUB SILENT  for 4s, and has been asked" in render(silent, looking_at(view), 80, 24).plain
    assert "OK" in render(replace(WELL, now_at=NOW + 1), State(), 80, 24).plain


def test_a_list_that_was_never_read_of_a_hub_that_is_away_says_so() -> None:
    away = replace(AWAY, nodes=Listing(), tasks=Listing(), events=Listing())
    for view in (View.NODES, View.TASKS, View.EVENTS):
        assert "This was not read before the hub was away" in render(away, looking_at(view), 80, 24).plain
    followed = replace(away, events=Listing(is_read=True))
    assert "Nothing has happened" not in render(followed, looking_at(View.EVENTS), 80, 24).plain


def test_the_address_of_a_hub_that_is_away_stands_above_and_not_in_the_reason() -> None:
    slow = replace(AWAY, link=replace(AWAY.link, reason=f"{AWAY.url} has not answered within 5 s"))
    assert "HUB AWAY  for 12s: has not answered within 5 s." in render(slow, State(), 120, 40).plain


def test_the_last_picture_of_a_hub_that_is_away_does_not_grow_older() -> None:
    later = replace(AWAY, now_at=AWAY.now_at + 500)
    for view in View:
        before, after = (render(each, looking_at(view), 80, 24).lines for each in (AWAY, later))
        assert before[4:] == after[4:]


def test_the_footer_names_only_what_works_now() -> None:
    live = render(WELL, looking_at(View.NODES), 120, 24).lines[-1].plain
    assert "drain" in live
    assert "cancel" not in live
    assert "drain" not in render(AWAY, looking_at(View.NODES), 120, 24).lines[-1].plain
    assert "drain" not in render(replace(WELL, role="read"), looking_at(View.NODES), 120, 24).lines[-1].plain
    assert "open" not in render(WELL, State(), 120, 24).lines[-1].plain


def test_the_verdict_comes_in_words_with_its_reasons() -> None:
    said = " ".join(render(DEGRADED, State(), 80, 24).plain.splitlines()[1:3])
    assert (
        "DEGRADED: 2 nodes unreachable (no heartbeat for 30 s): edge-003, lab-011; 1,284 queued, the oldest waits"
        in said
    )


def test_what_is_well_is_told_in_words_too_with_what_fails_first() -> None:
    assert "OK: 24 nodes online, 97 run, 12 wait, nothing fails now" in render(WELL, State(), 80, 24).plain
    failing = msgspec.structs.replace(stats("ok"), rates=Rates(failed=2.0))
    assert "OK: 2.0/s fail, 24 nodes" in render(replace(WELL, stats=failing), State(), 80, 24).plain


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_how_many_alerts_there_are_stands_above_every_view(width: int, height: int) -> None:
    for view in View:
        tabs = [text for text in render(DEGRADED, looking_at(view), width, height).plain.splitlines() if "▲ 2" in text]
        assert any("‖ 1" in text for text in tabs)


@pytest.mark.parametrize("height", [12, 20, 24])
def test_every_line_of_the_help_can_be_reached(height: int) -> None:
    state, seen = State(dialog=Help()), ""
    for _ in range(60):
        seen += render(WELL, state, 40, height).plain
        state = press(state, Key("down"), Sight(WELL, 40, height)).state
    for words in ("have the node finish", "queue the task again", "leave; the fleet goes on", "⧗ expired", "group=ID"):
        assert words in seen


def test_five_hundred_nodes_are_one_screen() -> None:
    fleet = replace(WELL, map=tuple(WELL.map[number % 24] for number in range(500)))
    assert "a cell is a slot" in render(fleet, State(), 200, 60).plain
    small = render(fleet, State(), 80, 24).plain
    assert "a cell is a node" in small or "nodes" in small


def test_a_hint_shows_how_much_is_below() -> None:
    low = render(WELL, looking_at(View.TASK), 80, 16)
    assert "more lines" in low.plain
    moved = press(looking_at(View.TASK), Key("end"), Sight(WELL, 80, 16)).state
    assert "more lines" not in render(WELL, moved, 80, 16).plain
