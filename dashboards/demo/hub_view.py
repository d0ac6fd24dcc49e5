"""What the hub says of its nodes, asked through the public client with a deadline; None while there is no hub."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dashboards.demo.statistics import NodeFigures
from moorline import Client, MoorlineError

# Loopback answers in a millisecond; a hub that takes this long is as good as dead for a picture.
ASK_WITHIN_S = 1.0

COUNTED = ("succeeded", "failed", "cancelled", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node as the API tells it."""

    is_online: bool
    figures: NodeFigures


class HubView:
    """Asks the hub."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def nodes(self, within_s: float = ASK_WITHIN_S) -> list[NodeView] | None:
        """Give the nodes, by name; None if the hub does not answer in time."""
        try:
            async with asyncio.timeout(within_s):
                found = await self._client.nodes()
        except (TimeoutError, MoorlineError):
            return None
        views = [
            NodeView(
                is_online=node.state == "online",
                figures=NodeFigures(
                    node_id=node.id,
                    first_seen_at=node.first_seen_at,
                    connects=node.connects,
                    totals={outcome: int(node.totals.get(outcome, 0)) for outcome in COUNTED},
                ),
            )
            for node in found
        ]
        return sorted(views, key=lambda view: view.figures.node_id)
