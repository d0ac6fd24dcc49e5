from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.terminal.bindings import works
from dashboards.terminal.footer import footer
from dashboards.terminal.keys import Key
from dashboards.terminal.pressing import Pressed, Sight, press
from dashboards.terminal.snapshot import Listing, Snapshot
from dashboards.terminal.state import (
    TRAIL_MAX,
    Act,
    ActOnAll,
    Count,
    Help,
    Question,
    Quit,
    Redraw,
    State,
    Suspend,
    View,
    counted,
)
from tests.dashboards.terminal.fleets import AWAY, DEGRADED, WELL, looking_at


def pressed(state: State, *names: str, snapshot: Snapshot = WELL) -> Pressed:
    """Press keys one after the other; give the state, and the intents of the last."""
    result = Pressed(state)
    for name in names:
        key = Key("paste", name[6:]) if name.startswith("paste ") else Key(name)
        result = press(result.state, key, Sight(snapshot, 80, 24))
    return result


def typed(text: str) -> list[str]:
    return list(text)


def test_digits_open_the_views() -> None:
    assert [pressed(State(), str(view.value)).state.view for view in View] == list(View)


def test_moving_down_and_up_keeps_to_the_list() -> None:
    state = looking_at(View.NODES)
    assert pressed(state, "up").state.nodes.index == 0
    assert pressed(state, "down", "j").state.nodes.index == 2
    assert pressed(state, "end").state.nodes.index == 23
    assert pressed(state, "end", "down").state.nodes.index == 23
    assert pressed(state, "pagedown").state.nodes.index == 13
    assert pressed(state, "end", "home").state.nodes.index == 0


def test_the_chosen_row_stays_chosen_when_others_come_before_it() -> None:
    state = pressed(looking_at(View.TASKS), "down", "down").state
    chosen = WELL.tasks.rows[2]
    later = replace(WELL, tasks=Listing(rows=(WELL.tasks.rows[90], *WELL.tasks.rows[:50]), is_read=True))
    moved = pressed(state, "x", snapshot=later).state
    assert later.tasks.rows[moved.tasks.index] == chosen


def test_at_the_top_the_newest_row_is_chosen_whatever_it_is() -> None:
    state = pressed(looking_at(View.TASKS), "down", "up").state
    later = replace(WELL, tasks=Listing(rows=(WELL.tasks.rows[90], *WELL.tasks.rows[:50]), is_read=True))
    assert pressed(state, "x", snapshot=later).state.tasks.index == 0


def test_a_chosen_row_that_has_gone_leaves_its_place() -> None:
    state = pressed(looking_at(View.TASKS), *["down"] * 30).state
    short = replace(WELL, tasks=Listing(rows=WELL.tasks.rows[:5], is_read=True))
    assert pressed(state, "x", snapshot=short).state.tasks.index == 4
    empty = replace(WELL, tasks=Listing(is_read=True))
    assert pressed(state, "down", snapshot=empty).state.tasks.index == 0


def test_enter_opens_a_task_and_esc_leads_back() -> None:
    opened = pressed(looking_at(View.TASKS), "down", "enter").state
    assert opened.view is View.TASK
    assert opened.task_id == WELL.tasks.rows[1].id
    assert pressed(opened, "esc").state.view is View.TASKS


def test_enter_on_a_node_shows_its_tasks() -> None:
    opened = pressed(looking_at(View.NODES), "down", "enter").state
    assert (opened.view, opened.task_filter) == (View.TASKS, "node=office-001")


def test_enter_on_a_trouble_shows_what_is_behind_it() -> None:
    opened = pressed(State(), "enter", snapshot=DEGRADED).state
    assert (opened.view, opened.node_filter) == (View.NODES, "state=unreachable")
    failed = pressed(State(), "down", "down", "enter", snapshot=DEGRADED).state
    assert (failed.view, failed.task_filter) == (View.TASKS, "errorgroup=e1")


def test_esc_leads_back_the_way_that_enter_and_filters_led() -> None:
    begun = pressed(State(), "3", "/", *typed("name~x"), "enter", "1", snapshot=DEGRADED).state
    nodes = pressed(begun, "enter", snapshot=DEGRADED).state
    tasks = pressed(nodes, "down", "enter", snapshot=DEGRADED).state
    assert (tasks.view, tasks.task_filter) == (View.TASKS, "node=office-001")
    fewer = pressed(tasks, "/", *typed("age>5m"), "enter", snapshot=DEGRADED).state
    task = pressed(fewer, "enter", snapshot=DEGRADED).state
    assert task.view is View.TASK
    backwards = [pressed(task, *["esc"] * count, snapshot=DEGRADED).state for count in range(1, 5)]
    assert [(state.view, state.filter) for state in backwards] == [
        (View.TASKS, "node=office-001 age>5m"),
        (View.TASKS, "node=office-001"),
        (View.NODES, "state=unreachable"),
        (View.OVERVIEW, ""),
    ]
    assert backwards[2].nodes.chosen_id == "office-001"
    # The list of tasks is what it was before the way led through it.
    assert backwards[3].task_filter == "name~x"


def test_one_and_enter_lead_to_the_worst_whatever_was_chosen_before() -> None:
    state = pressed(State(), "down", "down", "enter", "1", "enter", snapshot=DEGRADED).state
    assert (state.view, state.node_filter) == (View.NODES, "state=unreachable")


def test_a_digit_begins_a_new_way() -> None:
    state = pressed(State(), "enter", "3", "esc", snapshot=DEGRADED).state
    assert (state.view, state.trail) == (View.OVERVIEW, ())


def test_the_way_back_is_bounded() -> None:
    state = looking_at(View.TASKS)
    for number in range(50):
        state = pressed(state, "/", "clear", *typed(f"f{number}"), "enter").state
    assert len(state.trail) == TRAIL_MAX
    assert pressed(state, *["esc"] * 60).state.view is View.OVERVIEW


@pytest.mark.parametrize("names", [("3",), ("enter",), ("tab",), ("s",), ("/", "x", "enter")])
def test_a_picture_that_is_held_still_goes_on_when_something_else_is_opened(names: tuple[str, ...]) -> None:
    held = pressed(looking_at(View.NODES), " ").state
    assert held.is_still
    assert pressed(held, "down").state.is_still
    assert not pressed(held, *names).state.is_still


def test_enter_on_an_event_opens_its_task_or_its_node() -> None:
    assert pressed(looking_at(View.EVENTS), "enter").state.task_id == WELL.events.rows[0].task_id
    assert pressed(looking_at(View.EVENTS), "down", "down", "enter").state.node_filter == "id=edge-002"


def test_a_filter_is_typed_and_edited_and_taken_with_enter() -> None:
    state = pressed(looking_at(View.TASKS), "/", *typed("state=falixd"), *["left"] * 3, "backspace", "right").state
    state = pressed(state, "l", "delete", "e", "enter").state
    assert state.dialog is None
    assert state.task_filter == "state=failed"
    again = pressed(state, "/", "clear", *typed("name~q y"), "erase", *typed("1"), "enter").state
    assert again.task_filter == "name~q 1"


def test_a_filter_that_is_there_is_gone_on_with_as_another_term() -> None:
    state = looking_at(View.TASKS).with_filter("node=n1")
    assert pressed(state, "/", *typed("age>5m"), "enter").state.task_filter == "node=n1 age>5m"
    assert pressed(state, "/", "enter").state.task_filter == "node=n1"


def test_keys_that_act_are_text_while_a_filter_is_typed() -> None:
    result = pressed(looking_at(View.TASKS), "/", "q", "c", "y", "paste  d\x1bx", "enter")
    assert result.intents == ()
    assert result.state.task_filter == "qcy d\\x1bx"


def test_the_help_is_read_with_the_keys_that_move_and_left_with_any_other() -> None:
    def low(state: State, name: str) -> State:
        return press(state, Key(name), Sight(WELL, 40, 12)).state

    opened = low(State(), "?")
    assert low(low(opened, "down"), "j").dialog == Help(2)
    ended = low(opened, "end")
    assert low(ended, "down") == ended
    assert low(low(ended, "home"), "up").dialog == Help()
    assert low(ended, "esc").dialog is None
    # Where all of it fits there is nothing to move.
    assert press(opened, Key("down"), Sight(WELL, 120, 50)).state.dialog == Help()


def test_esc_leaves_the_old_filter_and_a_second_one_takes_it_away() -> None:
    state = looking_at(View.TASKS).with_filter("state=failed")
    state = pressed(state, "/", "x", "esc").state
    assert state.task_filter == "state=failed"
    assert pressed(state, "esc").state.task_filter == ""


def test_there_is_no_filter_where_there_is_no_list() -> None:
    assert pressed(State(), "/").state.dialog is None


def test_drain_asks_and_is_done_only_if_confirmed() -> None:
    state = looking_at(View.NODES)
    asked = pressed(state, "d")
    assert asked.intents == ()
    assert isinstance(asked.state.dialog, Question)
    assert pressed(asked.state, "y").intents == (Act("drain", ("edge-000",)),)
    for no in ("n", "esc", "enter"):
        refused = pressed(asked.state, no)
        assert (refused.intents, refused.state.dialog) == ((), None)


def test_what_is_pasted_confirms_nothing() -> None:
    asked = pressed(looking_at(View.NODES), "d", "paste y")
    assert asked.intents == ()
    assert asked.state.dialog is not None


def test_cancel_offers_all_that_match_with_their_number() -> None:
    state = looking_at(View.TASKS).with_filter("state=running")
    asked = pressed(state, "c")
    question = asked.state.dialog
    assert isinstance(question, Question)
    assert asked.intents == (Count(question),)
    # Before they are counted nobody knows what would be done.
    assert pressed(asked.state, "a").intents == ()
    known = counted(asked.state, question, 132)
    assert pressed(known, "a").intents == (ActOnAll("cancel", "state=running"),)


def test_a_chosen_task_that_has_ended_is_not_offered_to_be_cancelled_with_the_others() -> None:
    ended = next(place for place, task in enumerate(WELL.tasks.rows) if task.is_final)
    state = looking_at(View.TASKS).with_filter("name~a")
    asked = pressed(state, *["down"] * ended, "c").state
    question = asked.dialog
    assert isinstance(question, Question)
    assert "y yes" not in footer(WELL, asked, 80).plain
    assert pressed(asked, "y") == Pressed(asked)
    known = counted(asked, question, 132)
    assert "Cancel tasks?   a all 132 that match  n no" in footer(WELL, known, 80).plain
    assert pressed(known, "a").intents == (ActOnAll("cancel", "name~a"),)
    none = counted(asked, question, 0)
    assert none.dialog is None
    assert "no task that matches can be cancelled" in footer(WELL, none, 80).plain


def test_a_key_that_no_task_of_a_filtered_list_can_be_meant_with_does_nothing() -> None:
    rows = tuple(task for task in WELL.tasks.rows if task.state == "queued")
    queued = replace(WELL, tasks=Listing(rows=rows, filter="state=queued", is_read=True))
    state = looking_at(View.TASKS).with_filter("state=queued")
    assert works("c", queued, state)
    assert not works("r", queued, state)
    # What is behind the rows that were read may be meant.
    assert works("r", replace(queued, tasks=replace(queued.tasks, is_more=True)), state)


def test_a_count_that_comes_too_late_changes_nothing() -> None:
    question = Question(action="cancel", ids=("t",), label="", filter="x")
    assert counted(State(), question, 3) == State()


def test_nothing_is_asked_of_a_hub_that_is_away_or_with_a_token_that_may_not() -> None:
    for snapshot in (AWAY, replace(WELL, role="read")):
        assert pressed(looking_at(View.NODES), "d", snapshot=snapshot).state.dialog is None
        assert pressed(looking_at(View.TASKS), "c", snapshot=snapshot).state.dialog is None


def test_only_a_task_that_ended_badly_is_run_again() -> None:
    failed = next(place for place, task in enumerate(WELL.tasks.rows) if task.state == "failed")
    assert pressed(looking_at(View.TASKS), "r").state.dialog is None
    asked = pressed(looking_at(View.TASKS), *["down"] * failed, "r").state
    assert pressed(asked, "y").intents == (Act("retry", (WELL.tasks.rows[failed].id,)),)


def test_space_holds_still_and_goes_on() -> None:
    still = pressed(State(), " ").state
    assert still.is_still
    assert not pressed(still, " ").state.is_still
    assert not pressed(still, "esc").state.is_still


def test_help_closes_with_any_key_which_does_nothing_else() -> None:
    state = pressed(State(), "?").state
    assert state.dialog == Help()
    closed = pressed(state, "q")
    assert (closed.state.dialog, closed.intents) == (None, ())


def test_q_leaves() -> None:
    assert pressed(State(), "q").intents == (Quit(),)


def test_s_changes_the_order_and_begins_at_the_top() -> None:
    state = pressed(looking_at(View.NODES), "down", "down", "s").state
    assert (state.node_sort, state.nodes.index) == (1, 0)


def test_a_notice_lasts_until_the_next_key() -> None:
    assert pressed(replace(State(), notice="done"), "x").state.notice == ""


def test_a_task_scrolls_to_its_end_and_not_beyond() -> None:
    state = pressed(looking_at(View.TASK), *["pagedown"] * 30).state
    assert pressed(state, "up").state.task_top == state.task_top - 1


def test_ctrl_z_stops_whatever_is_on_the_screen() -> None:
    for state in (State(), pressed(looking_at(View.TASKS), "/", "x").state, pressed(State(), "?").state):
        result = pressed(state, "suspend")
        assert (result.state, result.intents) == (state, (Suspend(),))


def test_the_arrows_to_the_side_and_tab_lead_through_the_views() -> None:
    assert pressed(State(), "tab", "right").state.view is View.TASKS
    assert pressed(State(), "backtab").state.view is View.EVENTS
    assert pressed(State(), "left").state.view is View.EVENTS


def test_ctrl_l_draws_all_anew() -> None:
    assert pressed(State(), "redraw").intents == (Redraw(),)


def test_esc_leads_to_the_overview_and_no_further() -> None:
    assert pressed(looking_at(View.EVENTS), "esc").state.view is View.OVERVIEW
    assert pressed(State(), "esc").state == State()


def test_each_list_keeps_its_own_filter() -> None:
    state = looking_at(View.NODES).with_filter("state=online")
    state = replace(state, view=View.EVENTS).with_filter("kind=node")
    assert (state.node_filter, state.task_filter, state.event_filter) == ("state=online", "", "kind=node")
    assert state.filter == "kind=node"
    assert pressed(state, "esc").state.event_filter == ""
    assert State().with_filter("x") == State()


def test_keys_that_open_do_nothing_where_there_is_nothing() -> None:
    empty = replace(WELL, nodes=Listing(is_read=True), tasks=Listing(is_read=True), events=Listing(is_read=True))
    for view in View:
        state = looking_at(view)
        for key in ("enter", "d", "c", "r"):
            snapshot = replace(empty, detail=None) if view is View.TASK else empty
            assert pressed(state, key, snapshot=snapshot) == Pressed(state)


def test_a_question_is_not_answered_by_another_key() -> None:
    asked = pressed(looking_at(View.NODES), "d").state
    assert pressed(asked, "x") == Pressed(asked)
    # A drain is of one node; all that match is not on offer.
    assert pressed(replace(asked, dialog=replace(asked.dialog, filter="x", matched=3)), "a").intents == ()


def test_a_filter_has_an_end_and_keys_for_its_ends() -> None:
    state = pressed(looking_at(View.TASKS), "/", *typed("bc"), "home", "a", "end", "d", "up").state
    assert pressed(state, "enter").state.task_filter == "abcd"
    assert len(pressed(state, "paste " + "x" * 900, "enter").state.task_filter) == 500


def test_the_task_view_moves_up_no_further_than_its_beginning() -> None:
    assert pressed(looking_at(View.TASK), "up", "pageup").state.task_top == 0
