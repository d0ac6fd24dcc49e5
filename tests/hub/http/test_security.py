from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from hub.events.endings import REVOKED
from hub.http.openapi import ALL_ROUTES
from hub.http.route import Route
from hub.http.security import is_same_site, names_this_machine
from hub.store.tokens import TokenRow
from hub.tokens import digest_of
from tests.hub.http.hub_under_test import HubUnderTest

ROLES = ("node", "read", "submit", "admin")

# Written down apart from the table, so that a new route without a thought about its role fails here.
OPEN = {"GET /livez", "GET /readyz", "GET /openapi.json", "GET /v1/me", "POST /logout"}
# Open to everybody, and tells whoever brings nothing that it is not enough.
ASKS_ITSELF = {"POST /login"}
READ = {
    *("GET /v1/tasks", "GET /v1/tasks/{id}", "GET /v1/tasks/{id}/explain", "GET /v1/tasks/{id}/logs"),
    *("GET /v1/nodes", "GET /v1/map", "GET /v1/nodes/{id}", "GET /v1/stats", "GET /v1/events", "GET /metrics"),
    *("GET /v1/history", "GET /v1/nodes/{id}/history", "GET /v1/errors", "GET /v1/tasks/{id}/attempts"),
    "GET /v1/alerts",
}
SUBMIT = {
    *("POST /v1/tasks", "POST /v1/broadcasts", "POST /v1/tasks/{id}/cancel", "POST /v1/tasks/{id}/retry"),
    "POST /v1/tasks/bulk",
}
ADMIN = {
    *(f"POST /v1/nodes/{{id}}/{verb}" for verb in ("cordon", "uncordon", "drain", "disconnect")),
    "GET /v1/audit",
    *("POST /v1/alerts/silences", "POST /v1/alerts/silences/{id}/end", "POST /v1/alerts/test"),
}


def allowed(route: Route) -> set[str]:
    match f"{route.method} {route.path}":
        case said if said in OPEN:
            return {"", *ROLES}
        case said if said in READ:
            return {"read", "submit", "admin"}
        case said if said in SUBMIT:
            return {"submit", "admin"}
        case said if said in ADMIN:
            return {"admin"}
        case said:
            raise AssertionError(f"{said} has no place in this test: decide who may use it")


def give_tokens(hub: HubUnderTest) -> None:
    """Make a token of each role, whose secret is the role's name."""
    rows = [
        TokenRow(token_id=f"id-{role}", name=role, role=role, digest=digest_of(role), created_at=0.0) for role in ROLES
    ]
    hub.tokens.replace(rows, time.time())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"} if secret else {}


async def status_of(hub: HubUnderTest, route: Route, headers: dict[str, str]) -> tuple[int, str]:
    path = route.path.replace("{id}", "none")
    async with hub.client.request(route.method, path, headers=headers) as answer:
        if answer.content_type.startswith("text/") or answer.status == 204:
            return answer.status, ""
        body = await answer.json()
        return answer.status, body.get("error", {}).get("code", "") if isinstance(body, dict) else ""


GUARDED = [route for route in ALL_ROUTES if f"{route.method} {route.path}" not in ASKS_ITSELF]


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
async def test_each_route_lets_in_the_roles_that_it_is_for(hub: HubUnderTest, route: Route) -> None:
    give_tokens(hub)
    for secret in ("", *ROLES):
        status, code = await status_of(hub, route, bearer(secret))
        if secret in allowed(route):
            assert status not in {401, 403}, secret
        elif secret:
            assert (status, code) == (403, "forbidden"), secret
        else:
            assert (status, code) == (401, "unauthorized")


@pytest.mark.parametrize(
    "authorization",
    ["Bearer wrong", "Bearer", "Bearer ", "Basic YTpi", "admin", "Bearer admin admin", "bearer\tadmin"],
)
async def test_anything_but_a_good_token_is_unauthorized(hub: HubUnderTest, authorization: str) -> None:
    give_tokens(hub)
    async with hub.client.get("/v1/stats", headers={"Authorization": authorization}) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "moorline token create --role read" in (await answer.json())["error"]["remedy"]


async def test_the_scheme_may_be_written_small(hub: HubUnderTest) -> None:
    give_tokens(hub)
    assert (await hub.get("/v1/stats", headers={"Authorization": "bearer admin"}))[0] == 200


async def test_revoked_and_expired_tokens_are_unauthorized(hub: HubUnderTest) -> None:
    rows = [
        TokenRow(token_id="a", name="", role="admin", digest=digest_of("a"), created_at=0.0, expires_at=1.0),
        TokenRow(token_id="b", name="", role="admin", digest=digest_of("b"), created_at=0.0, revoked_at=1.0),
    ]
    hub.tokens.replace(rows, 0.0)
    for secret in ("a", "b"):
        status, body = await hub.get("/v1/stats", headers=bearer(secret))
        assert (status, body["error"]["code"]) == (401, "unauthorized")


async def test_nothing_is_written_for_a_request_that_is_turned_away(hub: HubUnderTest) -> None:
    give_tokens(hub)
    assert (await hub.post("/v1/tasks", json={"name": "work"}, headers=bearer("read")))[0] == 403
    assert (await hub.get("/v1/tasks", headers=bearer("read")))[1]["tasks"] == []


async def test_a_revoked_token_ends_its_stream(hub: HubUnderTest) -> None:
    give_tokens(hub)
    async with hub.client.get("/v1/events", headers=bearer("read")) as answer:
        await answer.content.readuntil(b"\n\n")
        hub.backend.events.end_streams({"id-read"})
        end = await answer.content.readuntil(b"\n\n")
        assert b'"code":"unauthorized"' in end
        assert await answer.content.read() == b""
    assert REVOKED.code == "unauthorized"


async def test_a_token_that_is_revoked_while_it_waits_is_told_nothing(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    give_tokens(hub)
    waiting = asyncio.create_task(hub.get("/v1/tasks/t?wait=60", headers=bearer("read")))
    while not hub.backend.events.watches:
        await asyncio.sleep(0)
    rows = [TokenRow(token_id="x", name="", role="admin", digest=b"", created_at=0.0)]
    hub.tokens.replace(rows, time.time())
    hub.claim()
    hub.succeed("t", value=b'"secret"')
    assert (await waiting)[0] == 401


# --- other sites ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://x:port", "file://"])
@pytest.mark.parametrize("has_tokens", [True, False])
async def test_a_page_of_another_site_is_forbidden(hub: HubUnderTest, origin: str, has_tokens: bool) -> None:
    if has_tokens:
        give_tokens(hub)
    headers = {"Origin": origin, **bearer("admin")}
    status, body = await hub.post("/v1/tasks", json={"name": "work"}, headers=headers)
    assert (status, body["error"]["code"]) == (403, "forbidden")


async def test_the_hub_s_own_page_is_let_in(hub: HubUnderTest) -> None:
    headers = {"Origin": f"http://127.0.0.1:{hub.server.port}"}
    assert (await hub.post("/v1/tasks", json={"name": "work"}, headers=headers))[0] == 201


async def test_a_name_that_points_here_is_not_enough_without_tokens(hub: HubUnderTest) -> None:
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    status, body = await hub.get("/v1/tasks", headers=rebound)
    assert (status, body["error"]["code"]) == (403, "forbidden")
    give_tokens(hub)
    assert (await hub.get("/v1/tasks", headers={**rebound, **bearer("read")}))[0] == 200


async def test_health_is_told_to_whoever_asks_by_whatever_name(hub: HubUnderTest) -> None:
    assert (await hub.get("/readyz", headers={"Host": "hub.internal"}))[0] == 200


async def test_an_insecure_hub_answers_to_any_name(tmp_path: Path) -> None:
    async with HubUnderTest(tmp_path / "hub.db", http_host="0.0.0.0", insecure=True) as hub:
        assert (await hub.get("/v1/tasks", headers={"Host": "hub.internal"}))[0] == 200


async def test_there_is_no_cross_origin_sharing(hub: HubUnderTest) -> None:
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    async with hub.client.options("/v1/tasks", headers=preflight) as answer:
        assert answer.status == 405
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://hub:8780", "hub:8780", True),
        ("http://HUB:8780", "hub:8780", True),
        ("https://hub", "hub", True),
        ("https://hub:443", "hub", True),
        ("http://hub", "hub:80", True),
        ("https://hub", "hub:80", False),
        ("http://[::1]:8780", "[::1]:8780", True),
        ("http://hub:8781", "hub:8780", False),
        ("http://other:8780", "hub:8780", False),
        ("null", "hub", False),
        ("", "", False),
        ("http://hub:x", "hub:x", False),
        ("http://[", "[", False),
    ],
)
def test_a_site_is_a_host_and_a_port(origin: str, host: str, expected: Any) -> None:
    assert is_same_site(origin, host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:8780", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.8.8:1", True),
        ("[::1]:8780", True),
        ("hub.local:8780", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("[", False),
        ("10.0.0.1", False),
    ],
)
def test_names_of_this_machine(host: str, expected: bool) -> None:
    assert names_this_machine(host, "hub.local") is expected
