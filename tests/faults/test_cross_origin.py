"""A page of another site in somebody's browser: it becomes no node, and asks the hub nothing."""

from __future__ import annotations

import aiohttp
import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from hub.http.openapi import ALL_ROUTES
from hub.tokens import create_token
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.bystander import start_with_good_node, undisturbed
from tests.faults.raw_node import connected

FOREIGN = ["https://evil.example", "null", "http://127.0.0.1:1", "file://"]
OPEN = {"/livez", "/readyz", "/openapi.json"}


async def test_a_browser_is_no_node_whatever_page_it_shows(fleet: Fleet) -> None:
    start_with_good_node(fleet)
    own = fleet.hub.node_url.replace("ws:", "http:")
    async with undisturbed(fleet):
        for origin in [*FOREIGN, own]:
            with pytest.raises(InvalidStatus) as caught:
                async with connected(fleet.hub.node_url, origin=Origin(origin)):
                    pass
            assert caught.value.response.status_code == 403
            assert b"browsers cannot be nodes" in (caught.value.response.body or b"")


@pytest.mark.parametrize("has_tokens", [True, False])
async def test_a_page_of_another_site_is_answered_by_no_route(fleet: Fleet, has_tokens: bool) -> None:
    headers = {}
    if has_tokens:
        secret = create_token(fleet.hub.state, name="", role="admin").secret
        headers = {"Authorization": f"Bearer {secret}"}
    fleet.hub.start()
    timeout = aiohttp.ClientTimeout(PATIENCE_S)
    async with aiohttp.ClientSession(fleet.hub.url, timeout=timeout, headers=headers) as http:
        for route in ALL_ROUTES:
            if route.path in OPEN:
                continue
            for origin in FOREIGN:
                path = route.path.replace("{id}", "x")
                async with http.request(route.method, path, headers={"Origin": origin}) as answer:
                    assert answer.status == 403, (route.path, origin)
                    assert not [name for name in answer.headers if name.startswith("Access-Control")]
        # The hub's own page is let in, and finds that nothing was written.
        async with http.get("/v1/stats", headers={"Origin": fleet.hub.url}) as answer:
            assert answer.status == 200
            assert not any((await answer.json())["tasks"].values())


async def test_a_name_that_was_pointed_at_this_machine_is_not_answered(fleet: Fleet) -> None:
    fleet.hub.start()
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    timeout = aiohttp.ClientTimeout(PATIENCE_S)
    async with aiohttp.ClientSession(fleet.hub.url, timeout=timeout) as http:
        async with http.post("/v1/tasks", json={"name": "work"}, headers=rebound) as answer:
            assert answer.status == 403
        async with http.get("/v1/tasks") as answer:
            assert (await answer.json())["tasks"] == []
