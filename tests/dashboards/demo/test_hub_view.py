from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dashboards.demo.hub_view import HubView
from moorline import HubUnavailableError
from moorline.views import NodeView


class FakeClient:
    def __init__(self, answer: Callable[[], Awaitable[list[NodeView]]]) -> None:
        self.nodes = answer


def view_of(answer: Callable[[], Awaitable[list[NodeView]]]) -> HubView:
    client: Any = FakeClient(answer)
    return HubView(client)


async def test_nodes_come_by_name_with_the_figures_that_may_only_grow() -> None:
    async def answer() -> list[NodeView]:
        return [
            NodeView(id="n2", state="unreachable"),
            NodeView(id="n1", state="online", first_seen_at=5.0, connects=2, totals={"succeeded": 3.0, "run_s": 1.5}),
        ]

    found = await view_of(answer).nodes()
    assert found is not None
    assert [node.is_online for node in found] == [True, False]
    figures = found[0].figures
    assert (figures.node_id, figures.first_seen_at, figures.connects) == ("n1", 5.0, 2)
    assert figures.totals == {"succeeded": 3, "failed": 0, "cancelled": 0, "lost": 0}


async def test_no_hub_is_an_answer_too() -> None:
    async def refuse() -> list[NodeView]:
        raise HubUnavailableError("connection refused")

    async def hang() -> list[NodeView]:
        await asyncio.Event().wait()
        return []

    assert await view_of(refuse).nodes() is None
    assert await view_of(hang).nodes(within_s=0.05) is None
