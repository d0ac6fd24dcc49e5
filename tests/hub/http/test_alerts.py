"""Alerts over the API: what is shown, and silences."""

from __future__ import annotations

from hub.alerts.rules import KINDS
from hub.store.alerts import AlertRow, NoteAlerts
from hub.store.nodes import NodeLeft
from tests.hub.http.hub_under_test import HubUnderTest


async def test_what_the_store_keeps_is_shown_with_the_rules(hub: HubUnderTest) -> None:
    row = AlertRow(
        id="a1",
        rule="node_unreachable",
        kind="node_unreachable",
        subject="n1",
        node_id="n1",
        severity="warning",
        state="firing",
        message="node n1 is unreachable",
        since_at=1.0,
        fired_at=2.0,
    )
    hub.register("n1")
    left = NodeLeft(node_id="n1", instance_id="n1-i", session_id="n1-s", reason="reset")
    hub.backend.execute(left, NoteAlerts(alerts=[row]))
    await hub.backend.alerts.start()
    status, body = await hub.get("/v1/alerts")
    assert status == 200
    (alert,) = body["alerts"]
    # The first look may have been, and says how it is now.
    assert alert.pop("message").startswith("node n1 is unreachable")
    assert alert.pop("value") is None or alert["state"] == "firing"
    assert alert == {
        "id": "a1",
        "rule": "node_unreachable",
        "severity": "warning",
        "subject": "n1",
        "state": "firing",
        "since_at": 1.0,
        "fired_at": 2.0,
        "resolved_at": None,
        "silenced_until": None,
    }
    assert (body["silences"], body["channels"]) == ([], [])
    assert {rule["name"] for rule in body["rules"]} == set(KINDS)
    (silent,) = [rule for rule in body["rules"] if rule["kind"] == "nodes_silent"]
    assert silent["settings"] == {"share": 0.3, "at_least": 3}
    assert (silent["for_s"], silent["filter"], silent["channels"], silent["quiet"]) == (15.0, "", None, [])
    status, stats = await hub.get("/v1/stats")
    assert stats["alerts"] == {"firing": 1, "critical": 0}
    await hub.backend.alerts.stop()


def fired(number: int) -> AlertRow:
    return AlertRow(
        id=f"a{number}",
        rule="lease_expired",
        kind="lease_expired",
        subject=f"n{number}",
        node_id=f"n{number}",
        severity="warning",
        state="firing",
        message="",
        since_at=float(number),
        fired_at=float(number),
    )


async def test_alerts_come_in_pages(hub: HubUnderTest) -> None:
    hub.backend.execute(NoteAlerts(alerts=[fired(number) for number in range(5)]))
    await hub.backend.alerts.start()
    # Such an alert goes on firing for a while after a start.
    found = []
    cursor = ""
    for _ in range(3):
        status, body = await hub.get(f"/v1/alerts?state=firing&limit=2{cursor and f'&cursor={cursor}'}")
        assert (status, body["total"]) == (200, 5)
        assert body["rules"]
        found += [alert["id"] for alert in body["alerts"]]
        cursor = body["cursor"]
    assert (found, cursor) == (["a4", "a3", "a2", "a1", "a0"], None)
    await hub.backend.alerts.stop()


async def test_a_page_of_alerts_that_cannot_be_is_refused(hub: HubUnderTest) -> None:
    for query, message in (
        ("state=burning", "state is 'burning'"),
        ("limit=1001", "limit is '1001'"),
        ("cursor=x", "cursor is 'x'"),
        ("page=2", "parameter 'page' is unknown"),
    ):
        status, body = await hub.get(f"/v1/alerts?{query}")
        assert (status, body["error"]["code"]) == (400, "invalid_query")
        assert message in body["error"]["message"]


async def test_a_silence_is_put_shown_stored_and_ended(hub: HubUnderTest) -> None:
    asked = {"rule": "node_unreachable", "subject": "n1", "for_s": 60, "comment": "moving house"}
    status, silence = await hub.post("/v1/alerts/silences", json=asked)
    assert status == 201
    assert (silence["rule"], silence["subject"], silence["comment"]) == ("node_unreachable", "n1", "moving house")
    assert silence["until_at"] - silence["made_at"] == 60
    assert (await hub.get("/v1/alerts"))[1]["silences"] == [silence]
    assert [row.id for row in hub.backend.store.alerts().silences] == [silence["id"]]
    status, ended = await hub.post(f"/v1/alerts/silences/{silence['id']}/end")
    assert (status, ended["id"]) == (200, silence["id"])
    assert ended["until_at"] < silence["until_at"]
    assert (await hub.get("/v1/alerts"))[1]["silences"] == []


async def test_a_silence_that_cannot_be_is_refused_with_what_would_be_right(hub: HubUnderTest) -> None:
    for asked, message, remedy in (
        ({"rule": "node_unreachabel", "for_s": 1}, "rule is 'node_unreachabel'", "did you mean node_unreachable?"),
        ({"rule": "node_unreachable"}, "for_s", "3600"),
        ({"for_s": 0}, "for_s", "3600"),
        ({"for_s": 1, "who": "me"}, "unknown field `who`", "comment"),
    ):
        status, body = await hub.post("/v1/alerts/silences", json=asked)
        assert (status, body["error"]["code"]) == (400, "invalid_option")
        assert message in body["error"]["message"]
        assert remedy in body["error"]["remedy"]
    status, body = await hub.post("/v1/alerts/silences", data=b"{", headers={"Content-Type": "application/json"})
    assert (status, body["error"]["code"]) == (400, "malformed_json")
    status, body = await hub.post("/v1/alerts/silences/none/end")
    assert (status, body["error"]["code"]) == (404, "not_found")


async def test_a_test_without_channels_says_so(hub: HubUnderTest) -> None:
    assert await hub.post("/v1/alerts/test") == (200, {"channels": []})
