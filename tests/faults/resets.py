"""Resets every connection through a proxy again and again, each after a life of its own length."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from moorline.testing.fault_proxy import FaultProxy

# How long a connection lives.
LIFE_S_MIN, LIFE_S_MAX = 0.2, 3.0

# Between two looks at who is due.
LOOK_EVERY_S = 0.02


@contextlib.asynccontextmanager
async def resetting(proxy: FaultProxy, *, seed: int) -> AsyncIterator[None]:
    """Reset each connection of the proxy, those there are and those to come, 0.2-3 s after it was first seen."""
    task = asyncio.create_task(_reset(proxy, random.Random(seed)))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reset(proxy: FaultProxy, luck: random.Random) -> None:
    loop = asyncio.get_running_loop()
    due_s: dict[int, float] = {}
    while True:
        for number in [connection.number for connection in proxy.connections]:
            due_s.setdefault(number, loop.time() + luck.uniform(LIFE_S_MIN, LIFE_S_MAX))
            if due_s[number] <= loop.time():
                proxy.reset(number)
        await asyncio.sleep(LOOK_EVERY_S)
