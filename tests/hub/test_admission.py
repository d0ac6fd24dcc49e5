"""The door lets in what the rate allows, and gives everybody else a time of its own."""

from __future__ import annotations

from hub.admission import RETRY_AFTER_S_MAX, SPREAD_S_MIN, Admission, spread_s


def test_one_second_of_admissions_comes_at_once_and_the_rest_at_the_rate() -> None:
    door = Admission(rate_per_s=10)
    assert [door.admit(0.0) for _ in range(10)] == [None] * 10
    assert door.admit(0.0) is not None
    assert door.admit(0.1) is None
    assert door.admit(0.1) is not None


def test_a_crowd_that_comes_back_when_it_was_told_is_let_in_at_its_second_try() -> None:
    door = Admission(rate_per_s=10)
    told = [door.admit(0.0) for _ in range(110)]
    places = [wait for wait in told if wait is not None]
    assert len(places) == 100
    assert places == sorted(places)
    assert max(places) <= 10.01
    assert [door.admit(wait) for wait in places] == [None] * 100


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    door = Admission(rate_per_s=1)
    waits = [wait for wait in (door.admit(5.0) for _ in range(500)) if wait is not None]
    assert max(waits) <= RETRY_AFTER_S_MAX


def test_a_slow_door_still_opens() -> None:
    door = Admission(rate_per_s=0.1)
    assert door.admit(0.0) is not None or door.admit(0.0) is not None
    assert door.admit(20.0) is None


def test_a_clock_that_stands_still_or_goes_back_admits_nobody_more() -> None:
    door = Admission(rate_per_s=1)
    assert door.admit(10.0) is None
    assert door.admit(9.0) is not None


def test_the_spread_grows_with_the_fleet() -> None:
    assert spread_s(0, 300) == spread_s(100, 300) == SPREAD_S_MIN
    assert spread_s(3000, 300) == 10
