from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from dashboards.terminal.header import verdict
from dashboards.terminal.snapshot import Alert, ErrorGroup, MapNode, Snapshot
from dashboards.terminal.state import View
from dashboards.terminal.troubles import Trouble, troubles
from moorline.views import AlertCounts, Event
from tests.dashboards.terminal.fleets import DEGRADED, NOW, WELL, stats


def alert(rule: str, subject: str = "", message: str = "", severity: str = "warning", **more: object) -> Alert:
    fields = {"rule": rule, "state": "firing", "since_at": NOW - 100, "is_silenced": False, **more}
    return Alert(severity=severity, subject=subject, message=message or f"{rule} of {subject}", **fields)  # type: ignore[arg-type]


def firing(*alerts: Alert, snapshot: Snapshot = WELL, reasons: tuple[str, ...] = ()) -> Snapshot:
    """Give a fleet with these alerts, as its hub would count them."""
    critical = sum(each.severity == "critical" for each in alerts)
    counted = [f"{critical} critical alerts firing"] * bool(critical) + [f"{len(alerts) - critical} alerts firing"]
    seen = msgspec.structs.replace(
        stats("degraded", *counted, *reasons), alerts=AlertCounts(firing=len(alerts), critical=critical)
    )
    return replace(snapshot, stats=seen, alerts=alerts)


def away(*ids: str, alerts: tuple[Alert, ...] = ()) -> Snapshot:
    """Give a fleet in which these nodes are away."""
    nodes = tuple(MapNode(node_id, "unreachable", 4, 0, False) for node_id in ids)
    seen = msgspec.structs.replace(
        stats("degraded", f"{len(ids)} nodes unreachable", away=len(ids)), oldest_queued_at=None
    )
    return replace(WELL, stats=seen, map=(*WELL.map, *nodes), alerts=alerts, lately=())


def whats(found: list[Trouble]) -> list[str]:
    return [trouble.what for trouble in found]


def test_the_verdict_says_what_fires_and_not_how_many() -> None:
    seen = firing(alert("failure_rate", "hash", "9 of 12 attempts of hash failed within 5m 00s (75%)"))
    assert verdict(seen)[1] == "9 of 12 attempts of hash failed within 5m 00s (75%)"


def test_until_the_alerts_are_read_the_verdict_counts_them() -> None:
    seen = replace(firing(alert("failure_rate", "hash")), alerts=())
    assert verdict(seen)[1] == "1 alerts firing"


def test_what_the_hub_finds_in_itself_comes_first_and_once() -> None:
    seen = firing(
        alert("failure_rate", "hash"),
        alert("hub_degraded", message="its store takes no commits: disk full", severity="critical"),
        reasons=("the store takes no commits: disk full",),
    )
    assert verdict(seen)[1] == "the store takes no commits: disk full; failure_rate of hash"


def test_causes_come_before_what_follows_from_them() -> None:
    seen = firing(
        alert("queue_age", "hash"), alert("failure_rate", "hash"), alert("no_node_for_task", "x"),
        alert("hub_restarted", "t"), alert("somebody's rule"), alert("token_expires", "t"),
    )  # fmt: skip
    kinds = [what.partition(" of")[0] for what in whats(troubles(seen))]
    assert kinds == [
        "hub_restarted", "no_node_for_task", "failure_rate", "queue_age", "somebody's rule", "token_expires",
    ]  # fmt: skip


def test_what_is_critical_comes_before_what_is_not() -> None:
    seen = firing(alert("hub_restarted", "t"), alert("failure_rate", "hash", severity="critical"))
    assert whats(troubles(seen))[0] == "failure_rate of hash"


def test_a_hundred_nodes_that_are_away_are_one_line_and_do_not_hide_the_rest() -> None:
    ids = [f"n{number:03}" for number in range(100)]
    alerts = [alert("node_unreachable", node_id, f"node {node_id} is unreachable: no route") for node_id in ids]
    found = troubles(away(*ids, alerts=(*alerts, alert("failure_rate", "hash"))))
    assert len(found) == 2
    assert found[0].what == "100 nodes unreachable (no route): n000, n001, n002 and 97 more"
    assert (found[0].view, found[0].filter) == (View.NODES, "state=unreachable")


def test_a_node_that_is_away_is_named_with_why_before_its_alert_fires() -> None:
    seen = away("n1")
    told = Event(kind="node.unreachable", at=NOW, node_id="n1", reason="the connection broke")
    found = troubles(replace(seen, lately=(told,)))
    assert [(each.what, each.filter) for each in found] == [("1 node unreachable (the connection broke): n1", "id=n1")]
    assert verdict(seen)[1] == "1 node unreachable: n1"


def test_what_is_silenced_is_no_reason_before_what_is_not() -> None:
    quiet = alert("node_unreachable", "n1", is_silenced=True, silenced_until_at=NOW + 3600)
    seen = away("n1", alerts=(quiet, alert("failure_rate", "hash")))
    assert verdict(seen)[1] == "failure_rate of hash; 1 alert silenced until 18:46 UTC"
    another = away("n1", "n2", alerts=(quiet, alert("failure_rate", "hash")))
    assert verdict(another)[1].startswith("1 node unreachable: n2; failure_rate of hash")


def test_a_reason_does_not_say_for_how_long_a_node_had_been_silent_then() -> None:
    told = Event(kind="node.unreachable", at=NOW - 500, node_id="n1", reason="silent for 4 s")
    assert whats(troubles(replace(away("n1"), lately=(told,)))) == ["1 node unreachable (it fell silent): n1"]


def test_many_that_fell_silent_at_once_are_told_in_the_alerts_words_with_their_names() -> None:
    silent = alert("nodes_silent", message="3 of 9 nodes are unreachable at once", severity="critical")
    found = troubles(away("n1", "n2", "n3", alerts=(silent,)))
    assert whats(found) == ["3 of 9 nodes are unreachable at once: n1, n2, n3"]


def test_a_map_of_another_time_names_nobody() -> None:
    assert troubles(replace(away("n1"), stats=WELL.stats)) == []


def test_what_is_silenced_stands_last_and_says_until_when() -> None:
    until_at = NOW + 3600
    quiet = alert("failure_rate", "hash", is_silenced=True, silenced_until_at=until_at)
    found = troubles(firing(quiet, alert("clock_skew", "n1")))
    assert whats(found) == ["clock_skew of n1", "1 alert silenced until 18:46 UTC"]
    assert found[-1].detail == "failure_rate of hash"
    later = alert("failure_rate", "scan", is_silenced=True, silenced_until_at=until_at + 60)
    assert whats(troubles(firing(quiet, later))) == ["2 alerts silenced until at least 18:46 UTC"]


def test_a_node_whose_alert_is_silenced_is_not_loud() -> None:
    quiet = alert("node_unreachable", "n1", is_silenced=True, silenced_until_at=NOW + 60)
    assert [each.id for each in troubles(away("n1", alerts=(quiet,)))] == ["silenced"]
    both = troubles(away("n1", "n2", alerts=(quiet,)))
    assert whats(both)[0] == "1 node unreachable: n2"


@pytest.mark.parametrize(
    ("kind", "subjects", "view", "filter_text"),
    [
        ("failure_rate", ("hash",), View.TASKS, "state=failed,lost name=hash"),
        ("no_node_for_task", ("hash gpu=h100 on n7",), View.TASKS, "state=queued name=hash"),
        ("queue_age", ("hash",), View.TASKS, "state=queued name=hash"),
        ("node_flapping", ("n1",), View.NODES, "id=n1"),
        ("clock_skew", ("n1", "n2", "n3", "n4"), View.NODES, "id=n1,n2,n3,n4"),
        ("version_skew", ('0.2 "beta"',), View.NODES, "version=0.2"),
        ("hub_restarted", ("2030-03-17T17:46:40Z",), View.NODES, ""),
        ("disk_low", ("/var/lib",), View.EVENTS, "kind=alert"),
        ("double_node", ("edge-003",), View.NODES, "id=edge-003"),
    ],
)
def test_an_alert_leads_to_what_it_is_about(kind: str, subjects: tuple[str, ...], view: View, filter_text: str) -> None:
    found = troubles(firing(*(alert(kind, subject) for subject in subjects)))
    assert [(each.view, each.filter) for each in found] == [(view, filter_text)]


def test_an_alert_about_a_task_leads_to_it_and_does_not_begin_with_its_whole_id() -> None:
    task_id = "01M8GS9F8M4Z12900SHM5S8564"
    found = troubles(firing(alert("lease_expired", "edge-003", f"attempt 1 of task {task_id} is freed: nothing heard")))
    assert whats(found) == [f"attempt 1 of task …{task_id[-8:]} is freed: nothing heard"]
    assert (found[0].view, found[0].filter) == (View.TASKS, f"id={task_id}")


def test_a_rule_with_a_name_of_its_own_leads_where_its_kind_does() -> None:
    found = troubles(firing(alert("invoices", "hash", kind="failure_rate")))
    assert (found[0].filter, found[0].detail) == ("state=failed,lost name=hash", "invoices")


def test_how_long_the_oldest_waits_grows_with_each_picture() -> None:
    seen = msgspec.structs.replace(stats("degraded", "oldest task waits 1m 40s"), oldest_queued_at=NOW - 100)
    waiting = replace(WELL, stats=seen, alerts=(alert("queue_age", message="the oldest task waits 1m 02s"),))
    assert whats(troubles(waiting)) == ["12 queued, the oldest waits 1m 40s"]
    assert verdict(replace(waiting, now_at=NOW + 5, heard_at=NOW + 4))[1] == "12 queued, the oldest waits 1m 45s"


def test_what_failed_alike_says_within_which_time_and_is_no_reason() -> None:
    groups = (
        ErrorGroup("e1", "hash", "OSError: x", "", 40, NOW - 3, NOW - 400),
        ErrorGroup("e2", "scan", "the node is gone", "", 1, NOW - 9, NOW - 9, "lost"),
    )
    found = troubles(replace(WELL, errors=groups))
    assert [(each.look.word, each.what, each.since) for each in found] == [
        ("failed", "hash 40x in 6m", "3s ago"), ("lost", "scan 1x", "9s ago"),
    ]  # fmt: skip
    assert not any(each.is_reason for each in found)


def test_a_fleet_that_is_well_has_no_troubles() -> None:
    assert troubles(WELL) == []
    assert [each.id for each in troubles(DEGRADED)] == ["unreachable", "waiting", "errors e1", "silenced"]
