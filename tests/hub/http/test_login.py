"""People in browsers: a token becomes a cookie, and the cookie counts as the token."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from hub.http.login_cookie import LOGIN_S, LoginSigner
from hub.http.login_limit import FAILURES_MAX, FAILURES_PER_S, FailureLimit
from hub.store.tokens import TokenRow
from hub.tokens import digest_of
from tests.hub.http.hub_under_test import HubUnderTest

ROLES = ("node", "read", "submit", "admin")


def rows(**revoked_at: float) -> list[TokenRow]:
    """A token of each role, whose secret is the role's name."""
    return [
        TokenRow(
            token_id=f"tok_{role}",
            name=f"{role} of Ann",
            role=role,
            digest=digest_of(role),
            created_at=0.0,
            revoked_at=revoked_at.get(role),
        )
        for role in ROLES
    ]


@pytest.fixture
async def guarded(hub: HubUnderTest) -> HubUnderTest:
    hub.tokens.replace(rows(), time.time())
    return hub


async def log_in(hub: HubUnderTest, secret: str, **headers: str) -> tuple[int, str]:
    """Log in; give the status and the `Set-Cookie` header. The client keeps no cookies by itself."""
    hub.client.cookie_jar.clear()
    async with hub.client.post("/login", json={"token": secret}, headers=headers) as answer:
        said = answer.headers.get("Set-Cookie", "")
        hub.client.cookie_jar.clear()
        return answer.status, said


def sent_back(set_cookie: str) -> dict[str, str]:
    return {"Cookie": set_cookie.partition(";")[0]}


async def logged_in(hub: HubUnderTest, role: str) -> dict[str, str]:
    """Log in; give the headers with which a page asks."""
    headers = sent_back((await log_in(hub, role))[1])
    _, me = await hub.get("/v1/me", headers=headers)
    return {**headers, "X-Moorline-CSRF": me["csrf"]}


# --- logging in -----------------------------------------------------------------------------------------------------


async def test_a_token_becomes_a_cookie_that_no_script_reads_and_no_other_site_sends(guarded: HubUnderTest) -> None:
    status, cookie = await log_in(guarded, "read")
    assert status == 204
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert f"Max-Age={LOGIN_S:.0f}" in cookie
    assert "Secure" not in cookie
    assert not re.search(r"=read\b", cookie)


async def test_the_cookie_is_secure_where_the_page_came_over_tls(guarded: HubUnderTest) -> None:
    host = f"127.0.0.1:{guarded.server.port}"
    _, cookie = await log_in(guarded, "read", Origin=f"https://{host}")
    assert "Secure" in cookie


async def test_the_cookie_is_secure_where_the_hub_itself_has_tls(tmp_path: Path) -> None:
    files = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    async with HubUnderTest(tmp_path / "hub.db", **files) as hub:
        hub.tokens.replace(rows(), time.time())
        assert "Secure" in (await log_in(hub, "read"))[1]


async def test_the_cookie_is_named_after_the_hub_so_that_two_on_one_machine_do_not_log_each_other_out(
    guarded: HubUnderTest,
) -> None:
    _, cookie = await log_in(guarded, "read")
    assert cookie.startswith(f"moorline_login_{guarded.backend.store.hub_id[:12]}=")


@pytest.mark.parametrize(("secret", "status"), [("wrong", 401), ("", 401), ("node", 403)])
async def test_no_cookie_for_a_token_that_is_wrong_or_a_node_s(guarded: HubUnderTest, secret: str, status: int) -> None:
    assert await log_in(guarded, secret) == (status, "")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token": 1}', b'{"token":"a","more":1}', b"\xff", b"["])
async def test_what_is_no_login_is_refused_without_being_repeated(guarded: HubUnderTest, body: bytes) -> None:
    status, said = await guarded.post("/login", data=body, headers={"Content-Type": "application/json"})
    assert (status, said["error"]["code"]) == (400, "malformed_json")


async def test_a_form_of_another_site_cannot_log_anybody_in(guarded: HubUnderTest) -> None:
    status, said = await guarded.post("/login", data={"token": "read"})
    assert (status, said["error"]["code"]) == (415, "unsupported_media_type")
    assert (await log_in(guarded, "read", Origin="http://evil.example"))[0] == 403


async def test_many_wrong_tokens_are_slowed_down_and_a_good_one_is_let_in_all_the_same(guarded: HubUnderTest) -> None:
    statuses = [(await log_in(guarded, "wrong"))[0] for _ in range(FAILURES_MAX + 5)]
    assert statuses[:FAILURES_MAX] == [401] * FAILURES_MAX
    assert 429 in statuses[FAILURES_MAX:]
    assert (await log_in(guarded, "read"))[0] == 204


def test_the_limit_of_wrong_tokens_fills_up_with_time() -> None:
    limit = FailureLimit()
    assert [limit.take(100.0) for _ in range(FAILURES_MAX + 1)] == [True] * FAILURES_MAX + [False]
    assert limit.take(100.0 + 1 / FAILURES_PER_S)
    assert not limit.take(100.0 + 1 / FAILURES_PER_S)
    assert not limit.take(50.0)


async def test_a_hub_without_tokens_needs_no_login(hub: HubUnderTest) -> None:
    assert await hub.get("/v1/me") == (200, {"role": "admin", "name": "", "needs_login": False, "csrf": ""})
    assert (await log_in(hub, "x"))[0] == 409


# --- who it is ------------------------------------------------------------------------------------------------------


async def test_a_stranger_is_told_to_log_in(guarded: HubUnderTest) -> None:
    expected = {"role": None, "name": "", "needs_login": True, "csrf": ""}
    assert await guarded.get("/v1/me") == (200, expected)
    assert await guarded.get("/v1/me", headers={"Authorization": "Bearer node"}) == (200, expected)
    assert await guarded.get("/v1/me", headers={"Authorization": "Basic x"}) == (200, expected)


async def test_somebody_with_a_cookie_or_a_token_is_known(guarded: HubUnderTest) -> None:
    headers = sent_back((await log_in(guarded, "submit"))[1])
    _, me = await guarded.get("/v1/me", headers=headers)
    assert (me["role"], me["name"], me["needs_login"]) == ("submit", "submit of Ann", False)
    assert me["csrf"]
    _, me = await guarded.get("/v1/me", headers={"Authorization": "Bearer read"})
    assert (me["role"], me["csrf"]) == ("read", "")


# --- the cookie counts as the token ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "read", "submit", "admin"), [("read", 200, 403, 403), ("submit", 200, 201, 403), ("admin", 200, 201, 200)]
)
async def test_a_page_may_what_its_token_may(
    guarded: HubUnderTest, role: str, read: int, submit: int, admin: int
) -> None:
    guarded.register("n1")
    headers = await logged_in(guarded, role)
    assert (await guarded.get("/v1/stats", headers=headers))[0] == read
    assert (await guarded.post("/v1/tasks", json={"name": "work"}, headers=headers))[0] == submit
    assert (await guarded.post("/v1/nodes/n1/cordon", headers=headers))[0] == admin


@pytest.mark.parametrize("shown", [None, "", "wrong", "é"])
async def test_a_cookie_alone_changes_nothing(guarded: HubUnderTest, shown: str | None) -> None:
    headers = await logged_in(guarded, "admin")
    del headers["X-Moorline-CSRF"]
    if shown is not None:
        headers["X-Moorline-CSRF"] = shown
    status, said = await guarded.post("/v1/tasks", json={"name": "work"}, headers=headers)
    assert (status, said["error"]["code"]) == (403, "forbidden")
    assert "X-Moorline-CSRF" in said["error"]["message"]
    assert (await guarded.get("/v1/tasks", headers=headers))[1]["tasks"] == []


async def test_a_token_in_the_header_goes_before_a_cookie(guarded: HubUnderTest) -> None:
    headers = {**await logged_in(guarded, "admin"), "Authorization": "Bearer read"}
    assert (await guarded.post("/v1/tasks", json={"name": "work"}, headers=headers))[0] == 403


async def test_a_cookie_that_was_changed_is_worth_nothing(guarded: HubUnderTest) -> None:
    name, _, text = sent_back((await log_in(guarded, "read"))[1])["Cookie"].partition("=")
    form, _, ends_at, signature = text.split(".")
    for wrong in (
        f"{form}.tok_admin.{ends_at}.{signature}",
        f"{form}.tok_read.{int(ends_at) + 1}.{signature}",
        f"{form}.tok_read.{ends_at}.",
        "",
        "x",
        "....",
    ):
        assert (await guarded.get("/v1/stats", headers={"Cookie": f"{name}={wrong}"}))[0] == 401, wrong
    assert (await guarded.get("/v1/stats", headers={"Cookie": f"{name}={text}"}))[0] == 200


async def test_a_revoked_token_ends_its_logins_and_their_streams(guarded: HubUnderTest) -> None:
    headers = await logged_in(guarded, "read")
    async with guarded.client.get("/v1/events", headers=headers) as stream:
        await stream.content.readuntil(b"\n\n")
        guarded.backend.events.end_streams(guarded.tokens.replace(rows(read=1.0), time.time()))
        assert b'"code":"unauthorized"' in await stream.content.readuntil(b"\n\n")
    status, said = await guarded.get("/v1/stats", headers=headers)
    assert (status, said["error"]["remedy"]) == (401, "log in again")
    assert (await guarded.get("/v1/me", headers=headers))[1]["needs_login"]


async def test_logging_out_takes_the_cookie_back(guarded: HubUnderTest) -> None:
    headers = await logged_in(guarded, "read")
    async with guarded.client.post("/logout", headers=headers) as answer:
        assert answer.status == 204
        assert "Max-Age=0" in answer.headers["Set-Cookie"]


async def test_a_login_holds_over_a_restart_with_the_same_key(tmp_path: Path) -> None:
    async def ask(headers: dict[str, Any], key: bytes) -> tuple[int, dict[str, Any]]:
        async with HubUnderTest(tmp_path / "hub.db", login_key=key) as hub:
            hub.tokens.replace(rows(), time.time())
            headers = headers or await logged_in(hub, "admin")
            return (await hub.post("/v1/tasks", json={"name": "work"}, headers=headers))[0], headers

    first, headers = await ask({}, b"k" * 32)
    assert first == 201
    assert (await ask(headers, b"k" * 32))[0] == 201
    assert (await ask(headers, b"j" * 32))[0] == 401


def test_a_login_ends_after_a_week() -> None:
    signer = LoginSigner(b"k" * 32)
    text = signer.issue("tok_a", 1000.5)
    assert signer.token_of(text, 1000.0 + LOGIN_S - 1) == "tok_a"
    assert signer.token_of(text, 1001.0 + LOGIN_S) is None
