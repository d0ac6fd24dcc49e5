"""Each claim measured once at a tiny size, with real processes: all of the work was done, and it is told in full.

Nothing is said about speed. A measurement raises where its work was not done: `measure` has counted it.
"""

from __future__ import annotations

from benchmarks import (
    delayed,
    growing,
    idle_sessions,
    large_payloads,
    latency,
    reconnect_storm,
    restart,
    throughput,
    watchers,
)
from benchmarks.chromium import NAMES
from tests.benchmarks.checks import check_shape
from tests.programs import program


def test_throughput_tells_each_round_and_the_cpu_of_each_process() -> None:
    claim = throughput.measure(throughput.Settings(tasks=20, rounds=2, slots=10))
    check_shape(claim)
    assert len(claim.figures["tasks_per_s_rounds"]) == 2
    assert claim.figures["cpu_us_per_task"].keys() == {"hub", "node", "client"}
    assert claim.settings["payload_bytes"] == 100


def test_latency_tells_every_task_of_both_kinds() -> None:
    claim = latency.measure(latency.Settings(one_at_a_time=5, rate_per_s=100, seconds=0.2, slots=10))
    check_shape(claim)
    assert claim.figures["one_at_a_time_ms"]["n"] == 5
    assert claim.figures["at_a_rate_ms"]["n"] == claim.figures["submitted_late_ms"]["n"] == 20
    assert len(claim.targets) == 2


def test_large_payloads_come_back_as_they_were() -> None:
    claim = large_payloads.measure(large_payloads.Settings(tasks=20, rounds=1, slots=10))
    check_shape(claim)
    assert claim.figures["mb_per_s"] > 0


def test_idle_sessions_stay_while_they_are_watched() -> None:
    claim = idle_sessions.measure(idle_sessions.Settings(sessions=5, settle_s=0, watch_s=0.2))
    check_shape(claim)
    assert claim.figures["sessions"] == 5
    assert len(claim.targets) == 2


def test_nodes_and_bare_clients_all_come_back_from_a_storm() -> None:
    settings = reconnect_storm.Settings(sessions=5, down_s=0, rounds=1, settle_s=0, processes=1)
    claim = reconnect_storm.measure(settings)
    check_shape(claim)
    for side in ("hub", "bare"):
        came = claim.figures[side]
        assert came["dials"][0] - came["dials_failed"][0] == 5
        assert came["back_s"][0] > 0


def test_growing_tells_each_size_of_each_kind() -> None:
    settings = growing.Settings(tasks=20, rounds=1, queued=(200,), idle_nodes=(1, 5), slots=(2,), slots_elsewhere=10)
    claim = growing.measure(settings)
    check_shape(claim)
    assert claim.figures["not_served"]["ratio"] == claim.figures["served_later"]["ratio"] == {"200": 1.0}
    assert claim.figures["idle_nodes"]["tasks_per_s"].keys() == {"1", "5"}
    assert claim.figures["slots"]["tasks_per_s"].keys() == {"2"}
    assert len(claim.targets) == 4


def test_restart_finds_all_that_was_queued() -> None:
    claim = restart.measure(restart.Settings(queued=200, restarts=1, fresh=20))
    check_shape(claim)
    assert len(claim.figures["ready_s"]) == 1


def test_no_delayed_task_starts_before_its_time() -> None:
    claim = delayed.measure(delayed.Settings(tasks=20, lead_s=0.1, seconds=0.5, slots=10))
    check_shape(claim)
    assert claim.figures["late_ms"]["n"] == 20
    assert claim.targets == ()


def test_those_who_look_are_shown_what_the_hub_counts() -> None:
    program(*NAMES, package="chromium")
    claim = watchers.measure(watchers.Settings(nodes=3, pages=2, turns=1, settle_s=0.1, watch_s=0.5))
    check_shape(claim)
    assert claim.figures["page_late_ms"]["n"] >= 2
    assert (len(claim.figures["tasks_per_s_with"]), len(claim.figures["tasks_per_s_without"])) == (1, 2)
    assert len(claim.targets) == 3
