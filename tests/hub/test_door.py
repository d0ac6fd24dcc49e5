"""The door for nodes: who is let in, and what whoever is not is told; with real handshakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.hub.entrance import Entrance, Grant, an_entrance


@pytest.fixture
async def entrance() -> AsyncIterator[Entrance]:
    async with an_entrance() as entrance:
        yield entrance


@pytest.mark.parametrize(
    ("path", "more", "status", "text"),
    [
        ("/other", {}, 404, "nodes connect to /v1/node"),
        ("/v1/node", {"origin": "https://evil.example"}, 403, "browsers cannot be nodes"),
        ("/v1/node", {"subprotocols": ["moorline.v9"]}, 426, "the node offered moorline.v9: upgrade"),
        ("/v1/node", {"subprotocols": None}, 426, "offered none"),
    ],
)
async def test_who_does_not_speak_our_protocol_is_told_so(
    entrance: Entrance, path: str, more: dict[str, Any], status: int, text: str
) -> None:
    code, body, _ = await entrance.refused(path, **more)
    assert code == status
    assert text in body
    assert entrance.recorder.opened == []


async def test_a_token_is_needed_where_there_are_tokens(entrance: Entrance) -> None:
    entrance.tokens["good"] = Grant("t1", "n")
    code, body, headers = await entrance.refused()
    assert (code, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "moorline token create --role node" in body
    code, body, _ = await entrance.refused(additional_headers={"Authorization": "Bearer bad"})
    assert (code, "unknown, revoked or expired" in body) == (401, True)
    code, body, _ = await entrance.refused(additional_headers={"Authorization": "Bearer reader"})
    assert (code, "role read" in body) == (403, True)
    await entrance.knock(additional_headers={"Authorization": "Bearer good"})
    await entrance.recorder.until(lambda: entrance.recorder.opened)
    assert entrance.recorder.opened == [(1, "n")]


async def test_past_the_rate_the_answer_is_503_with_a_time_to_come_back() -> None:
    async with an_entrance(rate=0.5) as entrance:
        await entrance.knock()
        code, body, headers = await entrance.refused()
        assert (code, "come back" in body) == (503, True)
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert entrance.door.refusals["admission"] == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"connections_max": 1}, "connections"), ({"connections_per_address_max": 1}, "address")],
)
async def test_connections_are_bounded_and_a_closed_one_makes_room(settings: dict[str, int], reason: str) -> None:
    async with an_entrance(**settings) as entrance:
        first = await entrance.knock()
        code, _, headers = await entrance.refused()
        assert (code, headers["Retry-After"], entrance.door.refusals[reason]) == (503, "30", 1)
        await first.close()
        await entrance.recorder.until(lambda: entrance.recorder.closed)
        await entrance.knock()
