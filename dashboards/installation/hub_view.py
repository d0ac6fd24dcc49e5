"""What the hub says of its nodes, asked through the public client with a deadline; None while there is no hub."""

from __future__ import annotations

import asyncio

from moorline import Client, MoorlineError
from moorline.views import NodeView


async def ask_nodes(client: Client, within_s: float) -> list[NodeView] | None:
    """Give the nodes, by name; None if the hub does not answer in time."""
    try:
        async with asyncio.timeout(within_s):
            found = await client.nodes()
    except (TimeoutError, MoorlineError):
        return None
    return sorted(found, key=lambda view: view.id)
