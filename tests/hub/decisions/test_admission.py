"""The door lets in what the rate allows, and gives everybody else a time of its own."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.admission import (
    RETRY_AFTER_S_MAX,
    SPREAD_S_MIN,
    Admission,
    is_outdated,
    retry_after_header_s,
    spread_s,
)


def test_what_a_quarter_of_a_second_saved_comes_at_once_and_the_rest_at_the_rate() -> None:
    door = Admission(rate_per_s=40)
    assert [door.admit(0.0) for _ in range(10)] == [None] * 10
    assert door.admit(0.0) is not None
    assert door.admit(0.025) is None
    assert door.admit(0.025) is not None
    assert [door.admit(100.0) for _ in range(10)] == [None] * 10
    assert door.admit(100.0) is not None


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=300), st.sampled_from([0.5, 1.0, 7.0, 10.5, 40.0]))
def test_no_second_sees_more_than_the_rate_and_what_was_saved(gaps_s: list[float], rate_per_s: float) -> None:
    door = Admission(rate_per_s)
    admitted_s = [now_s for now_s in itertools.accumulate(gaps_s) if door.admit(now_s) is None]
    for first, since_s in enumerate(admitted_s):
        seen = sum(at_s <= since_s + 1 for at_s in admitted_s[first:])
        assert seen <= rate_per_s + max(1, rate_per_s / 4) + 0.1


def test_a_crowd_that_comes_back_when_it_was_told_is_let_in_at_its_second_try() -> None:
    door = Admission(rate_per_s=40)
    told = [door.admit(0.0) for _ in range(110)]
    places = [wait for wait in told if wait is not None]
    assert len(places) == 100
    assert places == sorted(places)
    assert max(places) <= 2.51
    assert [door.admit(wait) for wait in places] == [None] * 100


def test_nobody_is_sent_away_for_longer_than_a_minute_and_the_line_begins_again_at_its_front() -> None:
    door = Admission(rate_per_s=1)
    waits = [wait for wait in (door.admit(5.0) for _ in range(500)) if wait is not None]
    assert max(waits) <= RETRY_AFTER_S_MAX
    assert max(Counter(waits).values()) == 9


@pytest.mark.parametrize("rate_per_s", [0.1, 0.001])
def test_a_slow_door_still_opens(rate_per_s: float) -> None:
    door = Admission(rate_per_s)
    assert door.admit(0.0) is None
    refused_s = door.admit(0.0)
    assert refused_s is not None
    assert refused_s <= RETRY_AFTER_S_MAX
    assert door.admit(1 / rate_per_s) is None


def test_a_clock_that_stands_still_or_goes_back_admits_nobody_more() -> None:
    door = Admission(rate_per_s=1)
    assert door.admit(10.0) is None
    assert door.admit(10.0) is not None
    assert door.admit(9.0) is not None


def test_the_spread_grows_with_the_fleet() -> None:
    assert spread_s(0, 300) == spread_s(100, 300) == SPREAD_S_MIN
    assert spread_s(3000, 300) == 10


@pytest.mark.parametrize(("wait_s", "said_s"), [(0.1, 1), (1.0, 2), (59.9, 60)])
def test_a_wait_is_told_in_whole_seconds_and_rather_late_than_early(wait_s: float, said_s: int) -> None:
    assert retry_after_header_s(wait_s) == said_s


def test_a_spread_is_told_anew_when_the_fleet_has_grown_or_shrunk_by_a_quarter() -> None:
    assert [is_outdated(10.0, now_s) for now_s in (7.9, 8.0, 10.0, 12.5, 12.6)] == [True, False, False, False, True]
