"""What is remembered of the past is bounded, and counted within its window."""

from __future__ import annotations

from typing import Any

from hub.alerts.facts import Alarm, Facts, NameCounts
from hub.alerts.recents import ALARMS_MAX, DEPARTURES_MAX, SAMPLES_MAX, Recents
from hub.store.now import Now


def facts(at_s: float, **more: Any) -> Facts:
    return Facts(now=Now(at_s, at_s), watched_s=at_s, **more)


def test_departures_are_counted_within_the_window_and_bounded() -> None:
    recents = Recents(60.0)
    recents.take(facts(0.0, departures=["a", "a"]))
    recents.take(facts(10.0, departures=["a", "b"]))
    assert recents.departures(10.0, 10.0) == {"a": 3, "b": 1}
    assert recents.departures(9.0, 10.0) == {"a": 1, "b": 1}
    recents.take(facts(11.0, departures=["c"] * (DEPARTURES_MAX + 1)))
    assert recents.departures(100.0, 11.0) == {"c": DEPARTURES_MAX}


def test_of_too_many_alarms_that_of_longest_ago_is_forgotten() -> None:
    recents = Recents(60.0)
    alarms = [Alarm(kind="k", node_id=f"n{number}", message="m") for number in range(ALARMS_MAX + 1)]
    recents.take(facts(0.0, alarms=[*alarms[:-1], alarms[0], alarms[-1]]))
    kept = recents.alarms("k", 60.0, 0.0)
    assert len(kept) == ALARMS_MAX
    assert kept["n0"].count == 2
    assert "n1" not in kept
    assert recents.alarms("k", 60.0, 61.0) == {}


def test_attempts_are_counted_within_the_window_to_the_nearest_sample_and_bounded() -> None:
    window_s = 60.0
    recents = Recents(window_s)
    for second in range(10 * SAMPLES_MAX):
        recents.take(facts(float(second), names={"work": NameCounts(second, second // 2)}))
    now_s = 10.0 * SAMPLES_MAX - 1
    counts = recents.names(window_s, now_s)["work"]
    assert 60 <= counts.ended <= 62
    assert 30 <= counts.failed <= 31
    assert len(recents._samples) <= SAMPLES_MAX
    assert recents.names(1e9, now_s)["work"] == NameCounts(int(now_s), int(now_s) // 2), "all that there is"
