"""What each kind of rule finds, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from hub.alerts.facts import Alarm, Certificate, Disk, HubStart, NameCounts, Token
from hub.alerts.task_conditions import UNSERVED_MAX
from hub.store.alerts import QueueHead
from tests.hub.alerts.looks import START_S, Desk, away, here, stopped

DAY_S = 24 * 3600.0


def desk_of(kind: str, **settings: Any) -> Desk:
    lines = "".join(f"{key} = {value!r}\n" for key, value in ({"for_s": 0} | settings).items())
    return Desk(f"[rule.{kind}]\n{lines}")


def said(desk: Desk) -> list[str]:
    """Give the messages of what fires."""
    return [view.message for view in desk.engine.shown(desk.now) if view.state == "firing"]


# --- nodes -----------------------------------------------------------------------------------------------------------


def test_a_rule_about_nodes_is_about_those_that_meet_its_filter() -> None:
    desk = desk_of("node_unreachable", filter="label.site=berlin id!~test")
    nodes = [away("n1", site="berlin"), away("test-1", site="berlin"), away("n2", site="rome"), away("n3")]
    assert desk.look(away=nodes) == [("firing", "n1")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("n1", {"n1", "n10"}),
        ("N1", {"n1", "n10"}),
        ("id=n1,n2", {"n1", "n2"}),
        ("node!=n1", {"n10", "n2"}),
        ("name~n", set()),
        ('name=""', {"n1", "n2", "n10"}),
        ("version=1.2.3", {"n1", "n2", "n10"}),
        ("label.site=rome", set()),
        ("label.site!=rome", {"n1", "n2", "n10"}),
    ],
)
def test_filters_mean_what_they_mean_elsewhere(text: str, found: set[str]) -> None:
    desk = desk_of("node_unreachable", filter=text)
    assert {subject for _, subject in desk.look(away=[away("n1"), away("n2"), away("n10")])} == found


def test_a_node_that_loses_its_connection_again_and_again_flaps() -> None:
    desk = desk_of("node_flapping", times=3, window_s=60)
    for _ in range(2):
        assert desk.look(departures=["n1", "n2"], present=[here("n1")]) == []
        desk.wait(20)
    assert desk.look(departures=["n1"], present=[here("n1")]) == [("firing", "n1")]
    assert said(desk) == ["node n1 lost its connection 3 times within 1m 00s"]
    desk.wait(20)
    desk.look(present=[here("n1")])
    desk.wait(1)
    assert desk.look(present=[here("n1")]) == [("resolved", "n1")]
    assert desk.messages[-1].message == "node n1 keeps its connection (it was so for 21s)"


def test_after_a_restart_a_node_that_flapped_is_given_the_time_to_prove_itself() -> None:
    desk = desk_of("node_flapping", times=2, window_s=60)
    desk.look(departures=["n1", "n1"])
    desk.restart()
    desk.wait(59)
    assert desk.look(present=[here("n1")]) == []
    desk.wait(1)
    assert desk.look(present=[here("n1")]) == [("resolved", "n1")]


def test_a_filter_chooses_among_nodes_that_flap_too() -> None:
    desk = desk_of("node_flapping", times=1, filter="label.site=berlin")
    present = [here("n1", site="berlin"), here("n2", site="rome")]
    assert desk.look(departures=["n1", "n2", "n3"], present=present) == [("firing", "n1")]


def test_many_nodes_that_are_away_at_once_are_one_alert() -> None:
    desk = desk_of("nodes_silent", share=0.3, at_least=3)
    fleet = [here(f"n{number}") for number in range(7)]
    assert desk.look(present=fleet, away=[away("a"), away("b")]) == []
    assert desk.look(present=fleet, away=[away("a"), away("b"), away("c")], is_suspicious=True) == [("firing", "")]
    assert said(desk) == [
        "3 of 10 nodes are unreachable at once; the hub suspects itself and ends no lease",
    ]
    assert desk.engine.counts() == (1, 1), "it is critical"
    assert desk.look(present=fleet, away=[away("a")]) == [("resolved", "")]


def test_of_a_large_fleet_a_few_nodes_are_not_many() -> None:
    desk = desk_of("nodes_silent", share=0.3, at_least=3)
    fleet = [here(f"n{number}") for number in range(8)]
    assert desk.look(present=fleet, away=[away("a"), away("b"), away("c")]) == []


def test_a_clock_that_is_off_is_told_with_its_direction() -> None:
    desk = desk_of("clock_skew", skew_s=5)
    present = [here("slow", skew_s=-7.25), here("quick", skew_s=60.0), here("right", skew_s=4.9), here("mute")]
    assert desk.look(present=present) == [("firing", "slow"), ("firing", "quick")]
    assert sorted(said(desk)) == [
        "the clock of node quick is 60.0 s ahead of the hub's",
        "the clock of node slow is 7.2 s behind the hub's",
    ]


@pytest.mark.parametrize(
    ("compare", "found"), [("exact", {"1.2.4", "1.3.0", "2.2.3"}), ("minor", {"1.3.0", "2.2.3"}), ("major", {"2.2.3"})]
)
def test_nodes_of_another_version_are_told_by_version(compare: str, found: set[str]) -> None:
    desk = desk_of("version_skew", compare=compare)
    present = [here(f"n-{version}", version=version) for version in ("1.2.3", "1.2.4", "1.3.0", "2.2.3", "")]
    assert {subject for _, subject in desk.look(present=present)} == found


def test_of_many_nodes_of_a_version_some_are_named() -> None:
    desk = desk_of("version_skew")
    desk.look(present=[here(f"n{number}", version="9.0") for number in range(7)])
    assert said(desk) == ["7 nodes run version 9.0, the hub 1.2.3: n0, n1, n2, n3, n4 and 2 more"]


# --- tasks -----------------------------------------------------------------------------------------------------------


def head(name: str = "hash", since_at: float = START_S, target: str = "", **requires: str) -> QueueHead:
    return QueueHead(name=name, requires=requires, target=target, since_at=since_at)


def test_the_oldest_task_may_wait_for_so_long() -> None:
    desk = desk_of("queue_age", older_than_s=60)
    desk.wait(60)
    assert desk.look(oldest_queued_at=START_S) == []
    desk.wait(1)
    assert desk.look(oldest_queued_at=START_S) == [("firing", "")]
    assert said(desk) == ["the oldest task waits 1m 01s"]
    assert desk.look(has_queue=False) == [], "nobody could ask"
    assert desk.look(oldest_queued_at=None) == [("resolved", "")]


def test_with_a_filter_the_oldest_of_each_name_may() -> None:
    desk = desk_of("queue_age", older_than_s=60, filter="name~hash")
    desk.wait(100)
    heads = [head("hash"), head("hash", desk.now_s), head("rehash", desk.now_s - 61), head("other")]
    assert desk.look(heads=heads) == [("firing", "hash"), ("firing", "rehash")]
    assert desk.look(heads=None) == []
    assert desk.look(heads=[head("hash")]) == [("resolved", "rehash")]


@pytest.mark.parametrize(
    ("present", "why"),
    [
        (
            [here("n1", "other")],
            "no node can run task train gpu=h100: no connected node has the handler with these labels",
        ),
        (
            [here("n1", "train")],
            "no node can run task train gpu=h100: no connected node has the handler with these labels",
        ),
        (
            [here("n1", "train", gpu="h100", takes_work=False)],
            "no node can run task train gpu=h100: those that could are cordoned or draining: n1",
        ),
    ],
)
def test_a_task_that_no_node_can_run_is_told_with_the_reason(present: list[Any], why: str) -> None:
    desk = desk_of("no_node_for_task")
    assert desk.look(heads=[head("train", gpu="h100")], present=present) == [("firing", "train gpu=h100")]
    assert said(desk) == [why]
    able = [here("n2", "train", gpu="h100")]
    assert desk.look(heads=[head("train", gpu="h100")], present=able) == [("resolved", "train gpu=h100")]


def test_a_task_for_a_node_that_is_away_waits_for_it_and_one_for_a_stranger_is_told() -> None:
    desk = desk_of("no_node_for_task")
    heads = [head(target="n1"), head(target="stranger")]
    assert desk.look(heads=heads, away=[away("n1")]) == [("firing", "hash on stranger")]


def test_a_name_that_fails_too_often_is_told() -> None:
    desk = desk_of("failure_rate", share=0.5, at_least=10, window_s=60)
    assert desk.look(names={"hash": NameCounts(100, 100)}) == [("firing", "hash")], "all of it in this process"
    desk.wait(61)
    assert desk.look(names={"hash": NameCounts(110, 101), "few": NameCounts(9, 9)}) == [("resolved", "hash")]
    desk.wait(30)
    assert desk.look(names={"hash": NameCounts(120, 112)}) == [("firing", "hash")]
    assert said(desk) == ["12 of 20 attempts of hash failed within 1m 00s (60%)"]


# --- the hub ---------------------------------------------------------------------------------------------------------


def start(desk: Desk, **tasks: int) -> HubStart:
    return HubStart(at=desk.now_s, started_s=desk.now_s, tasks=tasks, nodes=2)


def test_a_restart_is_told_with_what_was_found_and_is_over_when_the_nodes_are_back() -> None:
    desk = desk_of("hub_restarted")
    found = start(desk, queued=12, running=3, succeeded=500)
    assert desk.look(start=found, away=[stopped("n1"), stopped("n2")]) == [("firing", "2023-11-14T22:13:20Z")]
    assert said(desk) == ["the hub started again and found 12 queued, 3 running; 2 nodes to come back"]
    desk.wait(4)
    assert desk.look(start=found, away=[stopped("n2"), away("n3")]) == []
    desk.wait(4)
    assert desk.look(start=found, away=[away("n3")]) == [("resolved", "2023-11-14T22:13:20Z")]
    assert desk.messages[-1].message == "all nodes are back after 8s"


def test_a_restart_is_told_even_if_all_are_back_at_the_first_look_and_over_after_a_while_if_not() -> None:
    desk = desk_of("hub_restarted", settle_s=60)
    assert [state for state, _ in desk.look(start=start(desk), away=[])] == ["firing"]
    late = desk_of("hub_restarted", settle_s=60)
    found = start(late)
    late.look(start=found, away=[stopped("n1")])
    late.wait(61)
    assert [state for state, _ in late.look(start=found, away=[stopped("n1")])] == ["resolved"]
    assert late.messages[-1].message == "1 node not back after 1m 01s"


def test_the_first_start_of_a_hub_is_no_restart() -> None:
    assert desk_of("hub_restarted").look(start=None) == []


def test_each_restart_is_an_alert_of_its_own() -> None:
    desk = desk_of("hub_restarted")
    desk.look(start=start(desk), away=[stopped("n1")])
    desk.wait(5)
    desk.restart()
    assert [state for state, _ in desk.look(start=start(desk), away=[stopped("n1")])] == ["resolved", "firing"]


def test_a_store_that_takes_no_commits_is_critical() -> None:
    desk = desk_of("hub_degraded")
    assert desk.look(degraded="no space") == [("firing", "")]
    assert said(desk) == ["the hub is degraded, its store takes no commits: no space"]
    assert desk.engine.counts() == (1, 1)
    assert desk.look(degraded=None) == [("resolved", "")]


@pytest.mark.parametrize(
    ("free", "total", "is_low"),
    [(1023, 10_000, True), (1024, 10_000, False), (1024, 100_000, True), (2000, 100_000, False)],
)
def test_a_disk_is_low_by_bytes_or_by_share(free: int, total: int, is_low: bool) -> None:
    desk = desk_of("disk_low", free_bytes=1024, free_share=0.02)
    found = desk.look(disk=Disk(path="/var/hub", free_bytes=free, total_bytes=total))
    assert found == ([("firing", "/var/hub")] if is_low else [])
    assert desk.look(disk=None) == []


def test_a_certificate_that_runs_out_is_told_before_and_after() -> None:
    desk = desk_of("certificate_expires", within_s=14 * DAY_S)
    soon, late = START_S + 13 * DAY_S, START_S + 15 * DAY_S
    certificates = [Certificate(path="a.pem", expires_at=soon), Certificate(path="b.pem", expires_at=late)]
    assert desk.look(certificates=certificates) == [("firing", "a.pem")]
    assert said(desk) == ["the certificate a.pem runs out in 13d 00h (2023-11-27 22:13 UTC)"]
    desk.wait(13 * DAY_S + 1)
    desk.look(certificates=certificates[:1])
    assert said(desk) == ["the certificate a.pem has run out (2023-11-27 22:13 UTC)"]
    renewed = [Certificate(path="a.pem", expires_at=desk.now_s + 90 * DAY_S)]
    assert desk.look(certificates=renewed) == [("resolved", "a.pem")]


def token(token_id: str, lives_s: float, left_s: float, now_s: float = START_S) -> Token:
    expires_at = now_s + left_s
    return Token(id=token_id, name="ci", role="submit", created_at=expires_at - lives_s, expires_at=expires_at)


def test_a_token_that_runs_out_is_told_unless_its_whole_life_is_short() -> None:
    desk = desk_of("token_expires", within_s=7 * DAY_S)
    tokens = [
        token("soon", 90 * DAY_S, 6 * DAY_S),
        token("late", 90 * DAY_S, 8 * DAY_S),
        token("short", DAY_S, 3600),
        token("long-gone", 90 * DAY_S, -2 * DAY_S),
    ]
    assert desk.look(tokens=tokens) == [("firing", "soon")]
    assert said(desk) == ["the token soon (ci, submit) runs out in 6d 00h (2023-11-20 22:13 UTC)"]
    assert desk.look(tokens=[]) == [("resolved", "soon")]


# --- alarms ----------------------------------------------------------------------------------------------------------


def alarm(node_id: str = "n1", kind: str = "lease_expired") -> Alarm:
    return Alarm(kind=kind, node_id=node_id, message=f"a lease of {node_id} ran out")


def test_an_alarm_fires_for_its_node_and_is_over_when_none_came_for_a_while() -> None:
    desk = desk_of("lease_expired", hold_s=60)
    assert desk.look(alarms=[alarm(), alarm(), alarm("n2"), alarm("n3", "foreign_result")]) == [
        ("firing", "n1"),
        ("firing", "n2"),
    ]
    assert sorted(said(desk)) == ["a lease of n1 ran out (2 times)", "a lease of n2 ran out"]
    desk.wait(60)
    assert desk.look(alarms=[alarm("n2")]) == []
    desk.wait(1)
    assert desk.look() == [("resolved", "n1")]


def test_after_a_restart_an_alarm_is_held_for_as_long_as_it_would_have_been() -> None:
    desk = desk_of("lease_expired", hold_s=60)
    desk.look(alarms=[alarm()])
    desk.restart()
    desk.wait(59)
    assert desk.look() == []
    desk.wait(1)
    assert desk.look() == [("resolved", "n1")]


def test_a_second_process_with_one_id_is_critical() -> None:
    desk = desk_of("instance_conflict")
    desk.look(alarms=[alarm(kind="instance_conflict")])
    assert desk.engine.counts() == (1, 1)


def test_without_an_answer_of_the_store_nothing_is_said_of_the_whole_fleet() -> None:
    desk = desk_of("nodes_silent", at_least=1, share=0.1)
    assert desk.look(away=[away("a")]) == [("firing", "")]
    assert desk.look(away=None) == []


def test_only_so_many_classes_that_nobody_can_run_are_told_at_once() -> None:
    desk = desk_of("no_node_for_task")
    found = desk.look(heads=[head(f"name{number}") for number in range(UNSERVED_MAX + 5)])
    assert len(found) == UNSERVED_MAX
    assert desk.look(heads=None) == []


def test_a_class_that_waits_at_several_priorities_is_told_once() -> None:
    desk = desk_of("no_node_for_task", filter="name=hash")
    assert desk.look(heads=[head("hash"), head("hash"), head("other")]) == [("firing", "hash")]


def test_names_of_which_no_look_tells_say_nothing() -> None:
    desk = desk_of("failure_rate", at_least=1)
    assert desk.look(names=None) == []


def test_an_alarm_about_a_node_that_a_filter_leaves_out_is_not_told() -> None:
    desk = desk_of("lease_expired", filter="label.site=berlin")
    present = [here("n1", site="rome"), here("n2", site="berlin")]
    assert desk.look(alarms=[alarm("n1"), alarm("n2"), alarm("gone")], present=present) == [("firing", "n2")]
