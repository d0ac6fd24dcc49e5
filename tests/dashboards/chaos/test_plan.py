from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from dashboards.chaos.plan import HUB, make_api_plan, make_plan
from dashboards.chaos.settings import ChaosSettings
from dashboards.installation.faults import LINK_FAULTS

FULL = ChaosSettings(minutes=5, nodes=20)
SETTINGS = [
    FULL,
    ChaosSettings(minutes=5, nodes=5, seed=2),
    ChaosSettings(minutes=0.5, nodes=3, lease_s=5, seed=3),
    ChaosSettings(minutes=20, nodes=1, seed=4),
    ChaosSettings(minutes=0.2, nodes=2, seed=5),
]


def test_the_same_settings_make_the_same_plan() -> None:
    assert make_plan(FULL) == make_plan(replace(FULL))
    assert make_plan(FULL) != make_plan(replace(FULL, seed=2))


def test_a_full_run_has_every_kind_of_fault() -> None:
    kinds = {fault.kind for fault in make_plan(FULL)}
    assert kinds == {"hub_killed", "hub_paused", "node_killed", "node_paused", *LINK_FAULTS}


@pytest.mark.parametrize(
    ("only", "prefixes"),
    [
        ("kill_hub", {"hub_killed"}),
        ("kill_nodes", {"node_killed"}),
        ("pause", {"hub_paused", "node_paused"}),
    ],
)
def test_only_what_was_asked_for_is_broken(only: str, prefixes: set[str]) -> None:
    off = dict.fromkeys(("kill_hub", "kill_nodes", "cut_links", "pause"), False)
    faults = make_plan(replace(FULL, **{**off, only: True}))
    assert {fault.kind for fault in faults} == prefixes


@pytest.mark.parametrize("settings", SETTINGS)
def test_all_faults_begin_in_order_and_end_in_time(settings: ChaosSettings) -> None:
    plan = make_plan(settings)
    assert plan
    assert all(earlier.at_s <= later.at_s for earlier, later in pairwise(plan))
    assert all(fault.at_s > 0 and fault.until_s <= settings.seconds for fault in plan)


@pytest.mark.parametrize("settings", SETTINGS)
def test_nobody_is_broken_twice_at_once(settings: ChaosSettings) -> None:
    plan = make_plan(settings)
    for victim in {fault.victim for fault in plan}:
        faults = [fault for fault in plan if fault.victim == victim]
        assert all(earlier.until_s <= later.at_s for earlier, later in pairwise(faults))


@pytest.mark.parametrize("settings", SETTINGS)
def test_so_few_nodes_are_broken_at_once_that_the_hub_need_not_suspect_itself(settings: ChaosSettings) -> None:
    of_nodes = [fault for fault in make_plan(settings) if fault.victim != HUB]
    for fault in of_nodes:
        broken = {other.victim for other in of_nodes if other.at_s <= fault.at_s < other.until_s}
        assert len(broken) < 3 or len(broken) < 0.3 * settings.nodes


def test_some_are_silent_for_longer_than_a_lease_and_mostly_the_hub_is_left_alone_meanwhile() -> None:
    plan = make_plan(FULL)
    long = [fault for fault in plan if fault.for_s > FULL.freed_after_s]
    assert {"node_paused", "hub_paused"} < {fault.kind for fault in long}
    assert any(fault.kind.startswith("link") for fault in long)
    of_hub = [fault for fault in plan if fault.victim == HUB]
    quiet = [
        window
        for window in long
        if window.victim != HUB
        and not any(fault.at_s < window.until_s and window.at_s < fault.until_s for fault in of_hub)
    ]
    assert len(quiet) >= 3


def test_all_others_are_much_shorter_than_a_lease() -> None:
    for fault in make_plan(FULL):
        assert fault.for_s > FULL.freed_after_s or fault.for_s <= max(0.4 * FULL.lease_s, 5.0)


def test_through_the_api_nodes_are_disconnected_and_cordoned() -> None:
    faults = make_api_plan(FULL, ["a", "b"])
    assert {fault.kind for fault in faults} == {"node_disconnected", "node_cordoned"}
    assert {fault.victim for fault in faults} == {"a", "b"}
    assert make_api_plan(FULL, []) == ()


def test_the_command_repeats_the_settings() -> None:
    settings = ChaosSettings(minutes=0.5, nodes=3, slots=2, lease_s=5, seed=7, pause=False)
    assert settings.command() == (
        "moorline chaos --minutes 0.5 --nodes 3 --kill-hub --kill-nodes --cut-links --slots 2 --lease-s 5 --seed 7"
    )
