from __future__ import annotations

from typing import Any

from tests.hub.http.hub_under_test import HubUnderTest
from tests.hub.http.test_login import log_in, sent_back
from tests.hub.http.test_nodes import live
from tests.hub.http.test_security import bearer, give_tokens


async def lines(hub: HubUnderTest, **more: Any) -> list[dict[str, Any]]:
    status, body = await hub.get("/v1/audit", **more)
    assert status == 200
    entries: list[dict[str, Any]] = body["entries"]
    return entries


async def test_every_action_leaves_a_line_and_reading_leaves_none(hub: HubUnderTest) -> None:
    hub.register("n1")
    hub.backend.lives["n1"] = live()
    await hub.submit(id="t")
    for path in ("tasks/t/cancel", "tasks/t/retry", "nodes/n1/cordon", "nodes/n1/drain", "nodes/n1/uncordon"):
        await hub.post(f"/v1/{path}")
    await hub.post("/v1/nodes/n1/disconnect")
    await hub.get("/v1/tasks/t")
    found = [(line["action"], line["target"]) for line in reversed(await lines(hub))]
    assert found == [
        ("task.cancel", "t"),
        ("task.retry", "t"),
        ("node.cordon", "n1"),
        ("node.drain", "n1"),
        ("node.uncordon", "n1"),
        ("node.disconnect", "n1"),
    ]


async def test_a_change_of_many_tasks_leaves_one_line_with_their_filter_and_a_count_leaves_none(
    hub: HubUnderTest,
) -> None:
    await hub.submit(id="t")
    asked = {"action": "cancel", "filter": "name=work"}
    await hub.post("/v1/tasks/bulk", json={**asked, "count_only": True})
    await hub.post("/v1/tasks/bulk", json=asked)
    (line,) = await lines(hub)
    assert (line["action"], line["detail"]) == ("task.bulk", "cancel at most 10000: name=work")


async def test_a_line_has_every_field_of_the_contract(hub: HubUnderTest) -> None:
    await hub.post("/v1/nodes/n1/drain")
    (line,) = await lines(hub)
    assert list(line) == ["id", "at", "who", "role", "address", "action", "target", "detail"]
    assert (line["who"], line["role"], line["address"]) == ("local", "admin", "127.0.0.1")


async def test_a_line_names_the_token_and_its_role(hub: HubUnderTest) -> None:
    give_tokens(hub)
    await hub.post("/v1/tasks/t/cancel", headers=bearer("submit"))
    (line,) = await lines(hub, headers=bearer("admin"))
    assert (line["who"], line["role"]) == ("submit (id-submit)", "submit")


async def test_what_a_role_may_not_do_leaves_no_line(hub: HubUnderTest) -> None:
    give_tokens(hub)
    assert (await hub.post("/v1/nodes/n1/drain", headers=bearer("submit")))[0] == 403
    assert await lines(hub, headers=bearer("admin")) == []


async def test_logins_and_logouts_leave_a_line_and_are_possible_when_the_hub_is_degraded(hub: HubUnderTest) -> None:
    give_tokens(hub)
    _, cookie = await log_in(hub, "read")
    for headers in (sent_back(cookie), {}):
        async with hub.client.post("/logout", headers=headers) as answer:
            assert answer.status == 204
    hub.backend.degraded = "database or disk is full"
    assert (await log_in(hub, "read"))[0] == 204
    found = [(line["action"], line["who"]) for line in await lines(hub, headers=bearer("admin"))]
    assert found == [("logout", "read (id-read)"), ("login", "read (id-read)")]


async def test_nothing_is_done_when_its_line_cannot_be_written(hub: HubUnderTest) -> None:
    hub.register("n1")
    hub.backend.lives["n1"] = live()
    hub.backend.degraded = "database or disk is full"
    assert (await hub.post("/v1/nodes/n1/disconnect"))[0] == 503
    assert "n1" in hub.backend.lives


async def test_pages_follow_each_other(hub: HubUnderTest) -> None:
    for number in range(5):
        await hub.post(f"/v1/tasks/t{number}/cancel")
    _, first = await hub.get("/v1/audit?limit=3")
    _, second = await hub.get(f"/v1/audit?limit=3&cursor={first['cursor']}")
    targets = [line["target"] for line in first["entries"] + second["entries"]]
    assert (targets, second["cursor"]) == (["t4", "t3", "t2", "t1", "t0"], None)
    status, body = await hub.get("/v1/audit?cursor=x")
    assert (status, body["error"]["code"]) == (400, "invalid_query")
