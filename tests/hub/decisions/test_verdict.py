from __future__ import annotations

from typing import Any

import pytest

from hub.decisions.verdict import OLDEST_WAITS_S, duration, of_hub, verdict
from hub.store.stats import StoreStats

NOW_S = 1000.0


def stats(**more: Any) -> StoreStats:
    values: dict[str, Any] = {
        "tasks": {"queued": 0},
        "nodes": {"online": 2},
        "totals": {},
        "last_event_id": 0,
        "oldest_queued_at": None,
    }
    return StoreStats(**(values | more))


def calm(**more: Any) -> dict[str, Any]:
    return {"degraded": None, "stopping": False, "suspicious": False, "firing": 0, "critical": 0} | more


def test_nothing_to_say_is_ok() -> None:
    found = verdict(stats(), of_hub(**calm()), NOW_S)
    assert (found.level, found.reasons) == ("ok", [])


def test_an_empty_hub_without_nodes_is_ok() -> None:
    assert verdict(stats(nodes={}), [], NOW_S).level == "ok"


def test_nodes_that_are_away_and_an_old_task_are_said_in_words() -> None:
    found = verdict(stats(nodes={"online": 1, "unreachable": 2}, oldest_queued_at=NOW_S - 252), [], NOW_S)
    assert found.level == "degraded"
    assert found.reasons == ["2 nodes unreachable", "oldest task waits 4m 12s"]


def test_a_task_may_wait_for_a_while_before_it_is_worth_a_word() -> None:
    assert verdict(stats(oldest_queued_at=NOW_S - OLDEST_WAITS_S), [], NOW_S).level == "ok"


def test_work_without_any_node_is_critical() -> None:
    found = verdict(stats(tasks={"queued": 1}, nodes={"unreachable": 1}), [], NOW_S)
    assert found.level == "critical"
    assert found.reasons == ["no node is online, and 1 task waits", "1 node unreachable"]


@pytest.mark.parametrize(
    ("own", "level", "words"),
    [
        ({"degraded": "disk full"}, "critical", "the store takes no commits: disk full"),
        ({"stopping": True}, "degraded", "the hub is stopping"),
        ({"suspicious": True}, "critical", "so many nodes are silent at once that the fault may be here"),
        ({"firing": 2, "critical": 2}, "critical", "2 critical alerts firing"),
        ({"firing": 1}, "degraded", "1 alert firing"),
    ],
)
def test_what_the_hub_finds_in_itself_counts(own: dict[str, Any], level: str, words: str) -> None:
    found = verdict(stats(), of_hub(**calm(**own)), NOW_S)
    assert (found.level, found.reasons) == (level, [words])


def test_each_finding_says_where_to_look() -> None:
    own = of_hub(**calm(degraded="disk full", stopping=True, suspicious=True, firing=3, critical=1))
    found = verdict(stats(nodes={"online": 1, "unreachable": 1}, oldest_queued_at=0.0), own, NOW_S)
    assert [finding.text for finding in found.findings] == found.reasons
    assert [(finding.level, finding.about) for finding in found.findings] == [
        *(("critical", about) for about in ("store", "nodes", "alerts")),
        *(("degraded", about) for about in ("hub", "alerts", "nodes", "queue")),
    ]


def test_the_worst_reason_comes_first() -> None:
    own = of_hub(**calm(degraded="disk full", firing=3, critical=1))
    found = verdict(stats(nodes={"unreachable": 1}), own, NOW_S)
    assert found.level == "critical"
    assert found.reasons[0].startswith("the store takes no commits")
    assert found.reasons[1] == "1 critical alert firing"
    assert set(found.reasons[2:]) == {"2 alerts firing", "1 node unreachable"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59.9, "59s"), (60, "1m 00s"), (252, "4m 12s"), (11_100, "3h 05m"), (198_000, "2d 07h")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
