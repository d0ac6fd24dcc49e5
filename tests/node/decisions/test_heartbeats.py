"""When heartbeats are due, what their answers confirm, and when silence is too long."""

from __future__ import annotations

from node.decisions.heartbeats import HEARTBEAT_S_MIN, HEARTBEATS_MAX, SILENT_HEARTBEATS, Heartbeats

EVERY_S = 9.0


def begun(luck: float = 1.0, shortest_lease_s: float | None = None) -> Heartbeats:
    heartbeats = Heartbeats()
    heartbeats.begin(EVERY_S, 100.0, shortest_lease_s, lambda: luck)
    return heartbeats


def test_the_first_one_falls_anywhere_within_the_interval() -> None:
    assert [begun(luck).due_s for luck in (0.0, 0.5, 1.0)] == [100.0, 100.0 + EVERY_S / 2, 100.0 + EVERY_S]


def test_they_are_as_frequent_as_the_shortest_lease_needs_but_never_a_storm() -> None:
    assert begun(shortest_lease_s=15.0).due_s == 105.0
    assert begun(shortest_lease_s=600.0).due_s == 100.0 + EVERY_S
    assert begun(shortest_lease_s=0.001).due_s == 100.0 + HEARTBEAT_S_MIN


def test_a_short_lease_hastens_the_next_one_counted_from_what_renewed_leases_last() -> None:
    heartbeats = begun()
    heartbeats.confirm(100.0)
    heartbeats.hasten(shortest_lease_s=6.0)
    assert heartbeats.due_s == 102.0
    heartbeats.send(102.0, shortest_lease_s=6.0)
    heartbeats.hasten(shortest_lease_s=3.0)
    assert heartbeats.due_s == 103.0
    heartbeats.hasten(shortest_lease_s=None)
    assert heartbeats.due_s == 103.0


def test_an_answer_confirms_when_its_heartbeat_was_sent_and_settles_all_before_it() -> None:
    heartbeats = begun()
    first, second, third = (heartbeats.send(at_s, None) for at_s in (101.0, 102.0, 103.0))
    assert heartbeats.acked(second, 104.5)
    assert (heartbeats.confirmed_s, heartbeats.round_trip_ms, heartbeats.unconfirmed) == (102.0, 2500.0, 1)
    # Overtaken, and unknown: neither says anything new.
    assert not heartbeats.acked(first, 105.0)
    assert not heartbeats.acked(third + 1, 105.0)
    assert heartbeats.confirmed_s == 102.0


def test_what_was_confirmed_is_never_taken_back_and_outlives_the_session() -> None:
    heartbeats = begun()
    heartbeats.confirm(101.0)
    heartbeats.confirm(50.0)
    number = heartbeats.send(105.0, None)
    heartbeats.begin(EVERY_S, 200.0, None, lambda: 0.5)
    assert heartbeats.confirmed_s == 101.0
    assert not heartbeats.acked(number, 201.0)


def test_heartbeats_that_nobody_answers_are_bounded() -> None:
    heartbeats = begun()
    numbers = [heartbeats.send(100.0 + number, None) for number in range(HEARTBEATS_MAX + 5)]
    assert heartbeats.unconfirmed == HEARTBEATS_MAX
    assert not heartbeats.acked(numbers[4], 300.0)
    assert heartbeats.acked(numbers[5], 300.0)


def test_silence_is_counted_in_the_hubs_own_interval() -> None:
    heartbeats = begun()
    heartbeats.heard_s = 150.0
    assert heartbeats.silent_at_s == 150.0 + SILENT_HEARTBEATS * EVERY_S
