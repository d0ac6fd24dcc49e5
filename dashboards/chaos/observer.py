"""Watch what the hub says of its nodes: who is online, who is back, and whether statistics only grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from dashboards.chaos.ledger import Ledger
from dashboards.installation.hub_view import ask_nodes
from dashboards.installation.statistics import Statistics
from moorline import Client

LOOK_EVERY_S: Final = 0.25
# The hub may stand still; the next question is as good.
ASK_WITHIN_S: Final = 5.0


class Observer:
    """Asks the hub again and again; a hub that does not answer is no news.

    Args:
        client: the way to the hub.
        ledger: where what it says is written down.
        node_ids: the nodes that are to be there.
    """

    def __init__(self, client: Client, ledger: Ledger, node_ids: Sequence[str]) -> None:
        self._client = client
        self._ledger = ledger
        self._node_ids = tuple(node_ids)
        self._statistics = Statistics()

    @property
    def problems(self) -> Sequence[str]:
        """Statistics that shrank, in sentences."""
        return self._statistics.problems

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once."""
        views = await ask_nodes(self._client, ASK_WITHIN_S)
        if views is not None:
            self._ledger.note_nodes(views)
            self._statistics.note(views)

    def online_count(self) -> int:
        """Give how many of the nodes that are to be there the hub sees."""
        seen = self._ledger.nodes
        return sum(node_id in seen and seen[node_id].state == "online" for node_id in self._node_ids)

    async def wait_for_all(self, within_s: float, check: Callable[[], None] = lambda: None) -> bool:
        """Wait until all nodes are online, and tell whether they are. ``check`` may raise to end it sooner."""
        try:
            async with asyncio.timeout(within_s):
                while self.online_count() < len(self._node_ids):
                    check()
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            return False
        return True
