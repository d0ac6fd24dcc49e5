"""Wrong, expired, revoked and foreign tokens: refused on every route and the node path, and nothing is written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from msgspec import Struct
from websockets.exceptions import InvalidStatus

from hub.http.openapi import ALL_ROUTES
from hub.tokens import CreatedToken, create_token, revoke_token
from moorline import Client, ForbiddenError, UnauthorizedError, task
from protocol import frames
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, NodeProcess, fleet_in
from tests.faults.raw_node import connected, register, registered, succeeded

# The last three say by themselves who they are for: tests/hub/http/test_login.py.
OPEN = {"/livez", "/readyz", "/openapi.json", "/v1/me", "/login", "/logout"}

# The hub promises a second; what this machine needs on top of that is its own affair.
REVOKED_WITHIN_S = 1.0
ALLOWANCE_S = 4.0


@task
def work(n: int) -> object:
    """What the raw nodes of these tests say that they run."""
    raise NotImplementedError(n)


class Tokens(Struct, frozen=True, kw_only=True):
    """The secrets of these tests; ``bad`` by what is wrong with them."""

    admin: str
    node: str
    read: str
    bad: dict[str, str]


def token(fleet: Fleet, role: str, **more: object) -> CreatedToken:
    return create_token(fleet.hub.state, name="", role=role, **more)  # type: ignore[arg-type]


def make_tokens(fleet: Fleet, elsewhere: Path) -> Tokens:
    revoked = token(fleet, "admin")
    assert revoke_token(fleet.hub.state, revoked.id)
    revoked_node = token(fleet, "node")
    assert revoke_token(fleet.hub.state, revoked_node.id)
    admin = token(fleet, "admin").secret
    bad = {
        "none": "",
        "wrong": "moor_wrong",
        "cut off": admin[:-1],
        "expired": token(fleet, "admin", expires_in_s=1e-6).secret,
        "expired, of a node": token(fleet, "node", expires_in_s=1e-6).secret,
        "revoked": revoked.secret,
        "revoked, of a node": revoked_node.secret,
        "foreign": create_token(elsewhere, name="", role="admin").secret,
        "foreign, of a node": create_token(elsewhere, name="", role="node").secret,
    }
    return Tokens(admin=admin, node=token(fleet, "node").secret, read=token(fleet, "read").secret, bad=bad)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_in(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def tokens(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    tokens = make_tokens(fleet, tmp_path_factory.mktemp("elsewhere"))
    fleet.hub.start()
    return tokens


async def statuses(fleet: Fleet, secret: str) -> dict[str, int]:
    """Ask every route that is not open with a body that would be good, and give what it answered."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    found: dict[str, int] = {}
    timeout = aiohttp.ClientTimeout(PATIENCE_S)
    async with aiohttp.ClientSession(fleet.hub.url, timeout=timeout, headers=headers) as http:
        for route in ALL_ROUTES:
            if route.path not in OPEN:
                body = {"json": {"name": "work"}} if route.method == "POST" else {}
                async with http.request(route.method, route.path.replace("{id}", "x"), **body) as answer:  # type: ignore[arg-type]
                    found[f"{route.method} {route.path}"] = answer.status
    return found


async def test_a_bad_token_is_refused_on_every_route(fleet: Fleet, tokens: Tokens) -> None:
    before = await written(fleet, tokens)
    for name, secret in tokens.bad.items():
        found = await statuses(fleet, secret)
        assert set(found.values()) == {401}, (name, found)
    assert await written(fleet, tokens) == before


async def test_a_node_s_token_is_refused_on_every_route(fleet: Fleet, tokens: Tokens) -> None:
    before = await written(fleet, tokens)
    found = await statuses(fleet, tokens.node)
    assert set(found.values()) == {403}, found
    assert await written(fleet, tokens) == before


async def test_who_may_not_submit_is_told_which_role_may(fleet: Fleet, tokens: Tokens) -> None:
    submitting = [lambda client: client.submit(work, 1), lambda client: client.submit_many(work, [1])]
    submitting += [lambda client: client.broadcast(work, 1), lambda client: anext(client.map(work, [1]))]
    before = await written(fleet, tokens)
    for secret in ("", tokens.bad["wrong"], tokens.bad["expired"]):
        async with Client(fleet.hub.url, secret) as client:
            for submit in submitting:
                with pytest.raises(UnauthorizedError, match="`moorline token create --role submit`"):
                    await submit(client)
            with pytest.raises(UnauthorizedError, match="--role read`"):
                await client.stats()
    for secret in (tokens.node, tokens.read):
        async with Client(fleet.hub.url, secret) as client:
            for submit in submitting:
                with pytest.raises(ForbiddenError, match=r"has the role (node|read); .* a token with the role submit"):
                    await submit(client)
    assert await written(fleet, tokens) == before


async def test_a_bad_token_opens_no_session(fleet: Fleet, tokens: Tokens) -> None:
    before = await written(fleet, tokens)
    for name, secret in {**tokens.bad, "admin": tokens.admin, "read": tokens.read}.items():
        with pytest.raises(InvalidStatus) as caught:
            async with connected(fleet.hub.node_url, token=secret):
                pass
        assert caught.value.response.status_code == (403 if name in {"admin", "read"} else 401), name
    assert await written(fleet, tokens) == before


async def written(fleet: Fleet, tokens: Tokens) -> tuple[dict[str, int], dict[str, int], int]:
    """Give what the store holds, as counts."""
    async with Client(fleet.hub.url, token=tokens.admin) as client:
        stats = await client.stats()
    return stats.tasks, stats.nodes, stats.last_event_id


async def test_a_token_for_one_node_is_refused_to_another(fleet: Fleet, tokens: Tokens) -> None:
    mine = token(fleet, "node", node_id="mine").secret
    await until_known(fleet, mine)
    async with connected(fleet.hub.node_url, token=mine) as node:
        await node.send(register("yours"))
        refused = await node.expect(frames.Refused)
        assert (refused.code, refused.fatal) == ("not_allowed", True)
        assert (await node.closed())[0] == 4005
    async with Client(fleet.hub.url, token=tokens.admin) as client:
        assert "yours" not in [node.id for node in await client.nodes()]


async def until_known(fleet: Fleet, secret: str) -> None:
    """Wait until the hub has read its tokens again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with connected(fleet.hub.node_url, token=secret):
                    return
            except InvalidStatus:
                await asyncio.sleep(0.05)


async def test_a_result_for_somebody_else_s_attempt_changes_nothing(fleet: Fleet, tokens: Tokens) -> None:
    async with (
        Client(fleet.hub.url, token=tokens.admin) as client,
        registered(fleet.hub.node_url, "owner", token=tokens.node) as owner,
        registered(fleet.hub.node_url, "thief", token=tokens.node, handlers=[]) as thief,
    ):
        handle = await client.submit(work, 1)
        (key,) = await owner.tasks(1)
        await thief.send(succeeded(key, b'"stolen"'))
        await thief.send(frames.Progress(task_id=key[0], attempt=1, done=1.0))
        line = frames.LogLine(task_id=key[0], attempt=1, at=time.time(), level="INFO", message="stolen")
        await thief.send(frames.Log(lines=[line]))
        # Of an attempt of its own making: what was said before is settled when this is acked.
        await thief.send(succeeded(("nobody.knows.me", 1)))
        await thief.until_acked([("nobody.knows.me", 1)])
        view = await handle.get()
        assert (view.state, view.value, view.progress) == ("running", None, None)
        assert (await client.logs(handle.id)).lines == []
        assert key not in thief.acked
        await owner.send(succeeded(key, b'"earned"'))
        assert await handle.result(PATIENCE_S) == "earned"
        found = {node.id: node.totals["succeeded"] for node in await client.nodes()}
        assert (found["owner"], found["thief"]) == (1, 0)


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_token_s_session_ends_with_it_within_a_second(fleet: Fleet, tokens: Tokens, how: str) -> None:
    # Long enough for two sessions to begin on a machine that is busy.
    lifetime_s = 6.0
    short = token(fleet, "node", **({"expires_in_s": lifetime_s} if how == "expired" else {}))
    expires_s = time.monotonic() + lifetime_s
    await until_known(fleet, short.secret)
    async with (
        registered(fleet.hub.node_url, "other", token=tokens.node) as other,
        registered(fleet.hub.node_url, "short", token=short.secret) as node,
    ):
        if how == "revoked":
            assert await asyncio.to_thread(revoke_token, fleet.hub.state, short.id)
            expires_s = time.monotonic()
        code, reason = await node.closed()
        took_s = time.monotonic() - expires_s
        assert code == 4003, reason
        assert took_s < REVOKED_WITHIN_S + ALLOWANCE_S
        print(f"{how}: the session ended after {took_s:.2f} s")
        await other.expect(frames.HeartbeatAck)
        with pytest.raises(InvalidStatus):
            async with connected(fleet.hub.node_url, token=short.secret):
                pass


async def test_a_node_whose_token_is_revoked_parks_and_goes_on_running(fleet: Fleet, tokens: Tokens) -> None:
    mine = token(fleet, "node")
    await until_known(fleet, mine.secret)
    gate = fleet.folder / "gate"
    truth = fleet.folder / "truth.ndjson"
    node = NodeProcess(fleet.hub.node_url, fleet.folder / "n", truth, "n", "--token", mine.secret)
    fleet.nodes.append(node)
    node.start()
    async with Client(fleet.hub.url, token=tokens.admin) as client:
        handle = await client.submit(app.hold, str(gate))
        async with asyncio.timeout(PATIENCE_S):
            while not fleet.truth.starts_of(handle.id):
                await asyncio.sleep(0.02)
            assert await asyncio.to_thread(revoke_token, fleet.hub.state, mine.id)
            while "parked" not in node.log:
                await asyncio.sleep(0.02)
            gate.write_text("seen")
            while not any(line["event"] == "end" for line in fleet.truth.lines()):
                await asyncio.sleep(0.02)
        assert node.alive
        assert (await handle.get()).state == "running"
