from __future__ import annotations

import pytest

from hub.decisions.sessions import LiveNode
from hub.store.nodes import NodeLeft
from tests.hub.http.hub_under_test import HubUnderTest


def live(**more: object) -> LiveNode:
    values: dict[str, object] = {
        "slots_in_use": 1,
        "outbox": 2,
        "load": 0.5,
        "loop_lag_ms": 1.0,
        "round_trip_ms": 3.5,
        "draining": False,
        "heard_s": 0.0,
    }
    return LiveNode(**(values | more))  # type: ignore[arg-type]


async def test_a_node_shows_every_field_of_the_contract(hub: HubUnderTest) -> None:
    hub.register("n1", "work", slots=8, site="berlin")
    hub.backend.lives["n1"] = live()
    status, node = await hub.get("/v1/nodes/n1")
    assert status == 200
    assert list(node) == [
        *("id", "name", "state", "cordoned", "labels", "slots", "slots_in_use", "handlers", "version"),
        *("first_seen_at", "last_seen_at", "connected_at", "connects", "disconnects", "last_disconnect"),
        *("totals", "session_id", "round_trip_ms", "load", "outbox"),
    ]
    assert (node["state"], node["slots"], node["labels"]) == ("online", 8, {"site": "berlin"})
    assert (node["slots_in_use"], node["outbox"], node["load"], node["round_trip_ms"]) == (1, 2, 0.5, 3.5)
    assert list(node["totals"]) == ["succeeded", "failed", "cancelled", "lost", "run_s"]


async def test_a_node_that_is_away_shows_when_and_why_it_left(hub: HubUnderTest) -> None:
    hub.register("n1")
    hub.backend.execute(NodeLeft(node_id="n1", instance_id="n1-i", session_id="n1-s", reason="the cable"))
    _, node = await hub.get("/v1/nodes/n1")
    assert node["state"] == "unreachable"
    assert node["last_disconnect"]["reason"] == "the cable"
    assert node["round_trip_ms"] is None


async def test_totals_are_those_of_the_store(hub: HubUnderTest) -> None:
    hub.register("n1")
    await hub.submit(id="t")
    hub.claim()
    hub.succeed("t")
    _, node = await hub.get("/v1/nodes/n1")
    assert node["totals"] == {"succeeded": 1, "failed": 0, "cancelled": 0, "lost": 0, "run_s": 0.5}


async def test_nodes_are_listed_by_id(hub: HubUnderTest) -> None:
    hub.register("b")
    hub.register("a")
    _, page = await hub.get("/v1/nodes")
    assert [node["id"] for node in page["nodes"]] == ["a", "b"]


async def test_cordon_and_drain_are_taken_back_by_uncordon(hub: HubUnderTest) -> None:
    hub.register("n1")
    assert (await hub.post("/v1/nodes/n1/cordon"))[1]["cordoned"] is True
    assert (await hub.post("/v1/nodes/n1/drain"))[1]["state"] == "draining"
    _, node = await hub.post("/v1/nodes/n1/uncordon")
    assert (node["cordoned"], node["state"]) == (False, "online")


async def test_disconnect_closes_the_connection_of_a_node_that_has_one(hub: HubUnderTest) -> None:
    hub.register("n1")
    hub.backend.lives["n1"] = live()
    status, node = await hub.post("/v1/nodes/n1/disconnect")
    assert (status, node["id"]) == (200, "n1")
    status, body = await hub.post("/v1/nodes/n1/disconnect")
    assert (status, body["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize("node_id", ["none", "%20"])
async def test_an_unknown_node_is_not_found(hub: HubUnderTest, node_id: str) -> None:
    assert (await hub.get(f"/v1/nodes/{node_id}"))[0] == 404
    for verb in ("cordon", "uncordon", "drain", "disconnect"):
        status, body = await hub.post(f"/v1/nodes/{node_id}/{verb}")
        assert (status, body["error"]["code"]) == (404, "not_found")
