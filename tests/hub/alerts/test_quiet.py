"""Quiet times follow the clock on the wall of their zone."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from hub.alerts.quiet import QuietTime

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def quiet(begins: int, ends: int, *days: str) -> QuietTime:
    chosen = {"days": frozenset(days)} if days else {}
    return QuietTime(name="q", begins=time(begins), ends=time(ends), zone=BERLIN, **chosen)


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        ("2026-03-03T21:59", False),
        ("2026-03-03T22:00", True),
        ("2026-03-03T23:59", True),
        ("2026-03-04T00:00", True),
        ("2026-03-04T05:59", True),
        ("2026-03-04T06:00", False),
        ("2026-03-04T12:00", False),
    ],
)
def test_a_window_over_midnight_ends_on_the_next_day(moment: str, is_quiet: bool) -> None:
    assert quiet(22, 6).covers(at(moment)) is is_quiet


def test_a_window_within_a_day_ends_on_it() -> None:
    lunch = quiet(12, 13)
    assert [lunch.covers(at(f"2026-03-03T{hour}:30")) for hour in (11, 12, 13)] == [False, True, False]


def test_days_are_those_on_which_it_begins() -> None:
    friday_night = quiet(22, 6, "fri")
    assert friday_night.covers(at("2026-03-06T23:00"))
    assert friday_night.covers(at("2026-03-07T05:00")), "on Saturday morning it is still Friday's"
    assert not friday_night.covers(at("2026-03-07T23:00"))
    assert not friday_night.covers(at("2026-03-06T05:00"))


def test_begin_and_end_alike_are_the_whole_day() -> None:
    sunday = quiet(0, 0, "sun")
    assert sunday.covers(at("2026-03-08T00:00"))
    assert sunday.covers(at("2026-03-08T23:59"))
    assert not sunday.covers(at("2026-03-09T00:00"))


def test_it_follows_the_zone_when_that_sets_its_clocks() -> None:
    night = quiet(22, 6)
    before = datetime(2026, 3, 28, 21, 30, tzinfo=UTC).timestamp()
    after = datetime(2026, 3, 29, 20, 30, tzinfo=UTC).timestamp()
    assert night.covers(before), "22:30 in winter"
    assert night.covers(after), "22:30 in summer"
    assert not night.covers(datetime(2026, 3, 28, 20, 30, tzinfo=UTC).timestamp())
