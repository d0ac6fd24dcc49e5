"""Silences last as long as they were made for, whatever somebody does to the wall clock."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hub.alerts.silences import Silences
from hub.store.alerts import SilenceRow
from hub.store.now import Now
from tests.hub.alerts.looks import START_S, Desk, away

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

ROW = SilenceRow(id="s", rule="", subject="n1", made_at=START_S, until_at=START_S + HOUR_S)


def at(passed_s: float, wall_ahead_s: float = 0.0) -> Now:
    return Now(START_S + passed_s + wall_ahead_s, START_S + passed_s)


@pytest.mark.parametrize("wall_ahead_s", [0.0, 0.5, -DAY_S, DAY_S])
def test_a_silence_ends_when_its_time_has_passed(wall_ahead_s: float) -> None:
    silences = Silences([], at(0))
    silences.put(ROW, at(0))
    before, after = at(HOUR_S - 1, wall_ahead_s), at(HOUR_S + 1, wall_ahead_s)
    until_at = silences.until_at("any", "n1", before)
    assert until_at is not None
    # As it was asked for; or, where the clock was set, as the clock is now.
    assert until_at == pytest.approx(ROW.until_at + (wall_ahead_s if abs(wall_ahead_s) > 1 else 0))
    assert silences.open_ones(before) == [replace(ROW, until_at=until_at)]
    assert silences.until_at("any", "n1", after) is None
    assert silences.open_ones(after) == []


def test_a_clock_that_is_set_back_while_no_hub_runs_begins_a_silence_anew_at_most() -> None:
    back = at(HOUR_S / 2, -DAY_S)
    silences = Silences([ROW], back)
    assert silences.until_at("any", "n1", back) == pytest.approx(back.wall_s + HOUR_S)
    assert silences.until_at("any", "n1", at(1.5 * HOUR_S + 1, -DAY_S)) is None


@pytest.mark.parametrize("wall_ahead_s", [0.0, -DAY_S, DAY_S])
def test_a_silence_that_is_ended_is_over_whatever_the_clock_says(wall_ahead_s: float) -> None:
    silences = Silences([], at(0))
    silences.put(ROW, at(0))
    now = at(60, wall_ahead_s)
    silences.put(replace(ROW, until_at=min(ROW.until_at, now.wall_s)), now)
    assert silences.until_at("any", "n1", now) is None


def test_what_fires_is_told_after_an_hour_though_the_clock_was_set_back_a_day() -> None:
    desk = Desk("[rule.node_unreachable]\nfor_s = 0\n")
    desk.silence(subject="n1", for_s=HOUR_S)
    desk.wall_ahead_s = -DAY_S
    desk.wait(HOUR_S - 1)
    assert desk.look(away=[away("n1")]) == []
    (view,) = desk.engine.shown(desk.now)
    assert view.silenced_until == pytest.approx(desk.now.wall_s + 1)
    desk.wait(2)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]
