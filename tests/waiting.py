"""Wait for facts, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Generous: these machines are shared. Nothing waits this long unless it has failed.
PATIENCE_S = 40.0


async def until(fact: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait for a fact that this event loop, another thread or another process brings about."""
    async with asyncio.timeout(within_s):
        while not fact():
            await asyncio.sleep(0.005)
