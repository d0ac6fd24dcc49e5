from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dashboards.installation.hub_view import ask_nodes
from moorline import HubUnavailableError
from moorline.views import NodeView


class FakeClient:
    def __init__(self, answer: Callable[[], Awaitable[list[NodeView]]]) -> None:
        self.nodes = answer


async def ask(answer: Callable[[], Awaitable[list[NodeView]]], within_s: float = 5.0) -> list[NodeView] | None:
    client: Any = FakeClient(answer)
    return await ask_nodes(client, within_s)


async def test_nodes_come_by_name() -> None:
    async def answer() -> list[NodeView]:
        return [NodeView(id="n2", state="unreachable"), NodeView(id="n1", state="online")]

    found = await ask(answer)
    assert found is not None
    assert [node.id for node in found] == ["n1", "n2"]


async def test_no_hub_is_an_answer_too() -> None:
    async def refuse() -> list[NodeView]:
        raise HubUnavailableError("connection refused")

    async def hang() -> list[NodeView]:
        await asyncio.Event().wait()
        return []

    assert await ask(refuse) is None
    assert await ask(hang, within_s=0.05) is None
