from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.hub.http.hub_under_test import HubUnderTest
from tests.hub.http.test_nodes import live


async def tasks(hub: HubUnderTest, text: str, more: str = "") -> list[str]:
    status, body = await hub.get(f"/v1/tasks?filter={quote(text)}{more}")
    assert status == 200, body
    return [task["id"] for task in body["tasks"]]


async def nodes(hub: HubUnderTest, query: str) -> dict[str, Any]:
    status, body = await hub.get(f"/v1/nodes?{query}")
    assert status == 200, body
    page: dict[str, Any] = body
    return page


async def test_tasks_are_chosen_by_a_filter_and_by_parameters(hub: HubUnderTest) -> None:
    await hub.submit("hash", id="a", options={"labels": {"site": "berlin"}})
    await hub.submit("resize", id="b", options={"labels": {"site": "berlin"}})
    await hub.submit("hash", id="c")
    assert await tasks(hub, "name~HASH") == ["c", "a"]
    assert await tasks(hub, "label.site=berlin age<1h") == ["b", "a"]
    assert await tasks(hub, "label.site=berlin", "&name=hash&state=queued") == ["a"]
    assert await tasks(hub, "age>1h") == []
    assert await tasks(hub, "") == ["c", "b", "a"]


async def test_a_filter_goes_on_behind_a_cursor(hub: HubUnderTest) -> None:
    for number in range(5):
        await hub.submit("even" if number % 2 == 0 else "odd", id=f"t{number}")
    _, first = await hub.get("/v1/tasks?filter=name=even&limit=2")
    assert [task["id"] for task in first["tasks"]] == ["t4", "t2"]
    assert await tasks(hub, "name=even", f"&limit=2&cursor={first['cursor']}") == ["t0"]


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/nodes"])
async def test_an_error_in_a_filter_says_where_and_what_would_be_right(hub: HubUnderTest, path: str) -> None:
    status, body = await hub.get(f"{path}?filter={quote('id~a lable.x=1')}")
    assert (status, body["error"]["code"]) == (400, "invalid_query")
    assert body["error"]["where"] == "filter, character 6"
    assert body["error"]["message"] == "there is no field lable.x"
    assert body["error"]["remedy"].startswith("did you mean label.KEY? there are: ")


async def test_nodes_are_all_there_without_a_limit(hub: HubUnderTest) -> None:
    for number in range(120):
        hub.register(f"n{number:03}")
    page = await nodes(hub, "")
    assert len(page["nodes"]) == page["total"] == 120
    assert page["cursor"] is None


async def test_nodes_come_in_pages_in_an_order(hub: HubUnderTest) -> None:
    for number, slots in enumerate((4, 1, 9, 2)):
        hub.register(f"n{number}", slots=slots)
    page = await nodes(hub, "sort=-slots&limit=3&filter=slots>1")
    assert [node["id"] for node in page["nodes"]] == ["n2", "n0", "n3"]
    assert (page["total"], page["cursor"]) == (3, None)
    page = await nodes(hub, "sort=-slots&limit=3")
    page = await nodes(hub, f"sort=-slots&limit=3&cursor={page['cursor']}")
    assert [node["id"] for node in page["nodes"]] == ["n1"]


async def test_what_only_sessions_know_can_be_asked_for(hub: HubUnderTest) -> None:
    hub.register("n1")
    hub.register("n2")
    hub.register("n3")
    hub.backend.lives |= {"n1": live(round_trip_ms=9.0), "n2": live(slots_in_use=3, round_trip_ms=1.0)}
    assert [node["id"] for node in (await nodes(hub, "sort=-rtt"))["nodes"]] == ["n1", "n2", "n3"]
    assert [node["id"] for node in (await nodes(hub, "filter=used>2"))["nodes"]] == ["n2"]
    assert [node["id"] for node in (await nodes(hub, "filter=rtt<5ms&limit=10"))["nodes"]] == ["n2"]


@pytest.mark.parametrize(
    "query",
    [
        "sort=nothing",
        "sort=--id",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "unknown=1",
        "filter=state=nice",
        "filter=a%00=",
    ],
)
async def test_a_query_that_cannot_be_is_refused(hub: HubUnderTest, query: str) -> None:
    status, body = await hub.get(f"/v1/nodes?{query}")
    assert (status, body["error"]["code"]) == (400, "invalid_query")
    assert body["error"]["remedy"]


async def test_the_map_shows_each_node_in_few_words(hub: HubUnderTest) -> None:
    hub.register("b", slots=2)
    hub.register("a", slots=8)
    await hub.submit(id="t")
    hub.claim("a")
    assert await hub.get("/v1/map") == (
        200,
        {"nodes": [["a", "online", 8, 1, False], ["b", "online", 2, 0, False]]},
    )
