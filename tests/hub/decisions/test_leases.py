"""Who is away, for how long, and when that frees an attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.absences import Absences
from hub.decisions.leases import is_silent, margin_s, remaining_s, suspects_itself

HOLDER = ("n", "i")


@given(lease_s=st.floats(1, 1e6), silent_s=st.floats(0, 1e6))
def test_the_hub_is_always_later_than_the_node(lease_s: float, silent_s: float) -> None:
    assert margin_s(lease_s) >= 5
    if remaining_s(lease_s, silent_s) <= 0:
        assert silent_s > lease_s


def test_three_missing_heartbeats_are_silence() -> None:
    assert not is_silent(30.0, heartbeat_s=10)
    assert is_silent(30.1, heartbeat_s=10)


@pytest.mark.parametrize(
    ("silent", "known", "suspicious"), [(2, 2, False), (3, 10, True), (3, 11, False), (300, 1000, True)]
)
def test_much_of_a_fleet_silent_at_once_is_our_own_fault(silent: int, known: int, *, suspicious: bool) -> None:
    assert suspects_itself(silent, known) is suspicious


def test_a_silence_is_looked_at_once_when_the_shortest_lease_may_have_run_out() -> None:
    absences = Absences()
    absences.begin(HOLDER, heard_s=100.0)
    assert absences.due(106.0) == []
    (silence,) = absences.due(106.1)
    assert (silence.node_id, silence.instance_id, round(silence.silent_s, 1)) == ("n", "i", 6.1)
    assert absences.due(200.0) == []


def test_it_is_looked_at_again_when_the_store_says_so() -> None:
    absences = Absences()
    absences.begin(HOLDER, heard_s=0.0)
    absences.due(10.0)
    absences.answer([HOLDER], [300.0], now_s=10.0)
    assert absences.due(309.0) == []
    assert len(absences.due(310.0)) == 1


def test_who_holds_nothing_is_dropped() -> None:
    absences = Absences()
    absences.begin(HOLDER, heard_s=0.0)
    absences.due(10.0)
    absences.answer([HOLDER], [None], now_s=10.0)
    assert len(absences) == 0


def test_who_comes_back_while_it_is_looked_at_stays_back() -> None:
    absences = Absences()
    absences.begin(HOLDER, heard_s=0.0)
    absences.due(10.0)
    absences.end(HOLDER)
    absences.end(HOLDER)
    absences.answer([HOLDER], [5.0], now_s=10.0)
    assert len(absences) == 0
    assert absences.due(1e9) == []


def test_suspicion_counts_nodes_that_are_silent_and_not_gone() -> None:
    absences = Absences()
    for number in range(3):
        absences.begin((f"n{number}", "i"), heard_s=0.0)

    def suspicious(now_s: float, live: int = 7) -> bool:
        here = {f"here{number}" for number in range(live)}
        return absences.is_suspicious(here, heartbeat_s=10, gone_after_s=3600, now_s=now_s)

    assert not suspicious(29.0)
    assert suspicious(31.0)
    assert not suspicious(31.0, live=8)
    assert not suspicious(3601.0)


def test_a_node_that_is_here_as_another_instance_is_not_silent() -> None:
    absences = Absences()
    for number in range(3):
        absences.begin((f"n{number}", "dead"), heard_s=0.0)
    assert absences.is_suspicious({"n9"}, heartbeat_s=10, gone_after_s=3600, now_s=31.0)
    assert not absences.is_suspicious({"n0", "n9"}, heartbeat_s=10, gone_after_s=3600, now_s=31.0)
