"""What is not well in words: the page's own decisions, in a real browser, without a fleet that would have to be ill."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.dashboards.web.browser import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW_S = 1_000_000.0

RUN = """async (told) => {
    const app = document.querySelector("script[type=module]").src;
    const { troubles } = await import(app.replace("app.js", "lib/troubles.js"));
    return troubles(told);
}"""


class Judge:
    """Asks the page's module what is not well."""

    def __init__(self, page: Any) -> None:
        self._page = page

    async def __call__(
        self, *alerts: dict[str, Any], channels: Any = (), cursor: str | None = None, **stats: Any
    ) -> list[dict[str, Any]]:
        counts = {"nodes": {"online": 5}, "tasks": {}, "oldest_queued_at": None, "verdict": {"findings": []}} | stats
        page = {"alerts": list(alerts), "rules": [], "channels": list(channels), "cursor": cursor}
        told = {"stats": counts, "nowS": NOW_S} | page
        found: list[dict[str, Any]] = await self._page.evaluate(RUN, told)
        return found


@pytest_asyncio.fixture(loop_scope="module")
async def judged(visitor: Visitor) -> Judge:
    return Judge(await visitor.open())


def alert(rule: str, subject: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    given = {"id": f"{rule} {subject}", "rule": rule, "severity": "warning", "subject": subject, "state": "firing"}
    times = {"since_at": NOW_S - 60, "fired_at": NOW_S - 30, "resolved_at": None, "silenced_until": None}
    return given | times | {"message": message or f"{rule} of {subject}"} | more


def away(node_id: str, why: str = "the connection broke") -> dict[str, Any]:
    return alert("node_unreachable", node_id, f"node {node_id} is unreachable: {why}")


def finding(about: str, text: str, level: str = "critical") -> dict[str, Any]:
    return {"findings": [{"level": level, "about": about, "text": text}]}


async def test_nothing_is_wrong(judged: Judge) -> None:
    assert await judged() == []


async def test_nodes_that_are_away_are_one_line_with_their_names_and_why(judged: Judge) -> None:
    (line,) = await judged(away("n2"), away("n1"), nodes={"unreachable": 2})
    assert (line["text"], line["note"]) == ("2 nodes unreachable: n1, n2", "the connection broke")
    assert line["href"] == "#/nodes?filter=state%3Dunreachable"
    (line,) = await judged(away("n1"), nodes={"unreachable": 1})
    assert (line["text"], line["href"]) == ("1 node unreachable: n1", "#/nodes/n1")


async def test_a_node_has_its_name_before_its_alert_fires_but_other_alerts_wait(judged: Judge) -> None:
    soon = {"state": "pending", "fired_at": None}
    (line,) = await judged(away("n1") | soon, alert("failure_rate", "a") | soon, nodes={"unreachable": 1})
    assert (line["text"], line["href"], line["since"]) == ("1 node unreachable: n1", "#/nodes/n1", NOW_S - 60)


async def test_of_many_nodes_some_are_named(judged: Judge) -> None:
    (line,) = await judged(*(away(f"n{number:03}") for number in range(100)), nodes={"unreachable": 150})
    assert line["text"] == "150 nodes unreachable: n000, n001, n002, n003, n004, n005 and 144 more"


@pytest.mark.parametrize(
    ("rule", "subject", "href"),
    [
        ("no_node_for_task", "train gpu=b200 on n7", "#/tasks?filter=state%3Dqueued+name%3Dtrain+requires.gpu%3Db200"),
        ("failure_rate", "hash", "#/tasks?filter=state%3Dfailed+name%3Dhash"),
        ("queue_age", "hash", "#/tasks?filter=state%3Dqueued+name%3Dhash"),
        ("node_flapping", "n1", "#/nodes/n1"),
        ("version_skew", "0.0.9", "#/nodes?filter=version%3D0.0.9"),
        ("disk_low", "", "#/alerts"),
    ],
)
async def test_each_alert_leads_to_what_it_is_about(judged: Judge, rule: str, subject: str, href: str) -> None:
    (line,) = await judged(alert(rule, subject, "it is so"))
    assert (line["text"], line["href"], line["since"]) == ("it is so", href, NOW_S - 30)


async def test_alerts_that_are_alike_are_one_line(judged: Judge) -> None:
    lines = await judged(*(alert("failure_rate", f"name{number}") for number in range(40)), alert("disk_low"))
    assert [line["text"] for line in lines] == [
        "disk_low of ",
        "40 names fail often: name0, name1, name2, name3, name4, name5 and 34 more",
    ]


async def test_critical_ones_come_first_then_causes_then_what_follows(judged: Judge) -> None:
    ill = [
        alert("queue_age", "a"),
        alert("failure_rate", "b"),
        alert("token_expires", "t"),
        alert("node_flapping", "n"),
        alert("instance_conflict", "c", severity="critical"),
    ]
    rules = [line["key"].split()[0] for line in await judged(*ill)]
    assert rules == ["instance_conflict", "node_flapping", "failure_rate", "queue_age", "token_expires"]


async def test_what_the_hub_finds_in_itself_stands_above_all_and_once(judged: Judge) -> None:
    told = finding("store", "the store takes no commits: disk full")
    lines = await judged(alert("hub_degraded", severity="critical"), alert("disk_low"), verdict=told)
    assert [line["text"] for line in lines] == ["the store takes no commits: disk full", "disk_low of "]


async def test_a_task_that_waits_is_told_once_and_leads_to_those_that_wait(judged: Judge) -> None:
    told = {"oldest_queued_at": NOW_S - 252, "verdict": finding("queue", "oldest task waits 4m 12s", "degraded")}
    for alerts in ([], [alert("queue_age", "", "the oldest task waits 4m 10s")]):
        (line,) = await judged(*alerts, **told)
        assert line["text"] == "the oldest task waits 4m 12s"
        assert line["href"] == "#/tasks?filter=state%3Dqueued+wait%3E60s"
    assert await judged(oldest_queued_at=NOW_S - 10) == []


async def test_what_is_silenced_comes_last_and_says_until_when(judged: Judge) -> None:
    quiet = alert("failure_rate", "a", silenced_until=NOW_S + 3600)
    lines = await judged(quiet, alert("token_expires", "t"))
    assert [(line["key"], line["tone"]) for line in lines] == [("token_expires t", "warn"), ("failure_rate a", "calm")]
    assert lines[-1]["silencedUntil"] == NOW_S + 3600
    (over,) = await judged(alert("failure_rate", "a", silenced_until=NOW_S - 1))
    assert over["tone"] == "warn"


async def test_what_is_silenced_is_one_line_of_each_rule(judged: Judge) -> None:
    quiet = [away(f"n{number}") | {"silenced_until": NOW_S + number + 1} for number in range(100)]
    (line,) = await judged(*quiet, nodes={"unreachable": 100})
    assert (line["text"], line["tone"], line["silencedUntil"]) == ("100 alerts of node_unreachable", "calm", NOW_S + 1)
    lines = await judged(*quiet, nodes={"unreachable": 102})
    assert [line["text"] for line in lines] == ["2 nodes unreachable", "100 alerts of node_unreachable"]


async def test_numbers_of_alerts_that_were_not_all_read_are_the_least(judged: Judge) -> None:
    quiet = [away(f"n{number}") | {"silenced_until": NOW_S + 1} for number in range(3)]
    loud = [alert("failure_rate", f"name{number}") for number in range(4)]
    lines = await judged(*quiet, *loud, cursor="firing,0,1.0,a", nodes={"unreachable": 500})
    assert [line["text"].partition(":")[0] for line in lines] == [
        "4 or more names fail often",
        "3 or more alerts of node_unreachable",
    ]


async def test_a_channel_that_takes_nothing_is_wrong_too(judged: Judge) -> None:
    channel = {"name": "pager", "failures": 3, "waiting": 2, "failure": "HTTP 500"}
    (line,) = await judged(channels=[channel, channel | {"name": "chat", "failures": 0}])
    assert (line["text"], line["note"], line["href"]) == (
        "the channel pager takes no alerts",
        "2 messages wait",
        "#/alerts",
    )


async def test_until_alerts_are_read_the_verdict_s_own_words_stand_there(judged: Judge) -> None:
    (line,) = await judged(verdict=finding("alerts", "3 alerts firing", "degraded"))
    assert (line["text"], line["href"]) == ("3 alerts firing", "#/alerts")
