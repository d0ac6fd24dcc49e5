"""How long a node waits before it dials."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.decisions.backing_off import CAP_S_MAX, CAP_S_MIN, BackingOff


def patience(luck: float = 1.0) -> BackingOff:
    return BackingOff(lambda: luck)


def test_waits_double_up_to_the_cap() -> None:
    backing_off = patience()
    waits_s = [backing_off.after_failure() for _ in range(8)]
    assert waits_s == [1, 2, 4, 8, 16, 30, 30, 30]


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_a_wait_after_a_failure_is_between_half_of_its_step_and_all_of_it(lucks: list[float]) -> None:
    luck = iter(lucks)
    backing_off = BackingOff(lambda: next(luck))
    for step, _ in enumerate(lucks):
        whole_s = min(2.0**step, CAP_S_MAX)
        assert whole_s / 2 <= backing_off.after_failure() <= whole_s


def test_the_first_wait_after_a_session_is_drawn_from_the_spread() -> None:
    for luck in (0.0, 0.25, 1.0):
        backing_off = patience(luck)
        backing_off.spread_named(spread_s=8.0)
        assert backing_off.after_session(lived_s=100.0) == 8.0 * luck


def test_a_spread_of_nothing_still_spreads() -> None:
    backing_off = patience()
    backing_off.spread_named(spread_s=0.0)
    assert backing_off.after_session(lived_s=100.0) == 0.5


def test_the_spread_that_the_hub_named_as_it_went_goes_first() -> None:
    backing_off = patience()
    backing_off.spread_named(spread_s=1.0)
    assert backing_off.after_session(lived_s=100.0, spread_s=20.0) == 20.0


def test_a_hub_that_accepts_and_drops_is_dialled_less_and_less() -> None:
    backing_off = patience(0.5)
    waits_s = []
    for _ in range(8):
        backing_off.spread_named(spread_s=0.0)
        waits_s.append(backing_off.after_session(lived_s=0.05))
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] >= 0.75 * CAP_S_MIN


def test_a_session_that_lived_begins_the_count_again() -> None:
    backing_off = patience()
    backing_off.spread_named(spread_s=1.0)
    for _ in range(5):
        backing_off.after_failure()
    assert backing_off.after_session(lived_s=60.0) == 1.0
    assert backing_off.after_failure() == 1.0


def test_a_session_that_did_not_live_does_not_begin_the_count_again() -> None:
    backing_off = patience()
    for _ in range(3):
        backing_off.after_failure()
    backing_off.spread_named(spread_s=0.5)
    assert backing_off.after_session(lived_s=59.0) == 0.5
    assert backing_off.after_failure() == CAP_S_MIN


def test_a_link_that_is_cut_again_and_again_is_no_reason_to_stay_away() -> None:
    backing_off = patience()
    backing_off.spread_named(spread_s=0.5)
    assert [backing_off.after_session(lived_s=1.0) for _ in range(8)] == [0.5] * 8


@pytest.mark.parametrize(("spread_s", "cap_s"), [(0.0, CAP_S_MIN), (12.0, 12.0), (90.0, CAP_S_MAX)])
def test_a_fleet_that_is_admitted_quickly_need_not_wait_long(spread_s: float, cap_s: float) -> None:
    backing_off = patience()
    backing_off.spread_named(spread_s)
    backing_off.after_session(lived_s=100.0)
    assert max(itertools.islice(iter(backing_off.after_failure, None), 12)) == cap_s


def test_retry_after_is_honoured_with_a_fifth_more_at_most_and_does_not_count_as_a_step() -> None:
    assert patience(0.0).after_failure(retry_after_s=7.0) == 7.0
    backing_off = patience(1.0)
    assert backing_off.after_failure(retry_after_s=10.0) == 12.0
    assert backing_off.after_failure() == 1.0


def test_a_hub_cannot_send_a_node_away_for_ever() -> None:
    assert patience(0.0).after_failure(retry_after_s=1e9) == 900.0


def test_an_unknown_session_costs_one_first_wait_and_no_step() -> None:
    backing_off = patience(0.5)
    backing_off.spread_named(spread_s=4.0)
    backing_off.after_session(lived_s=100.0)
    assert backing_off.after_unknown_session() == 2.0
    assert backing_off.after_failure() == 0.75


def test_a_parked_node_waits_five_to_fifteen_minutes() -> None:
    assert patience(0.0).parked() == 300.0
    assert patience(1.0).parked() == 900.0


def test_the_other_address_of_a_round_is_tried_soon() -> None:
    assert patience(1.0).before_other_hub() == 0.5
