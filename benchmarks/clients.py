"""The client of a measurement: this process, on the event loop that a user would take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from moorline import Client
from node.event_loops import new_event_loop

T = TypeVar("T")

# No measurement takes so long; one that does has lost a task, and must not wait for it for ever.
WORK_WITHIN_S: Final = 900.0


def with_client(url: str, work: Callable[[Client], Awaitable[T]]) -> T:
    """Do some work with a client of the hub at ``url``; give what it came to.

    Raises:
        TimeoutError: it takes longer than `WORK_WITHIN_S`.
    """

    async def run() -> T:
        async with asyncio.timeout(WORK_WITHIN_S), Client(url) as client:
            return await work(client)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(run())
