"""Waiting for a fact on the event loop, so that what the test itself serves goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.end_to_end.processes import PATIENCE_S

# Between two looks.
LOOK_EVERY_S = 0.02


async def until(fact: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait for a fact."""

    async def look() -> object:
        return fact()

    await until_told(look, what, within_s)


async def until_told(fact: Callable[[], Awaitable[object]], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait for a fact that somebody has to be asked for."""
    try:
        async with asyncio.timeout(within_s):
            while not await fact():
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s:.0f} s: {what}") from None
