"""Work of every kind, kept up while processes die, and held against the ground truth when all of it has its outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from moorline import Client
from moorline.errors import ConflictError, HubUnavailableError, TaskCancelled, TaskError, TaskFailed, TaskLost
from moorline.handles import TaskHandle
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet

T = TypeVar("T")

# A failpoint that is not reached in so many rounds is never reached; the pause leaves nodes the time to come back.
ROUNDS_MAX = 200
PAUSE_S = 0.05


class Crowd:
    """What one client submitted, by what must become of it."""

    def __init__(self, client: Client, fleet: Fleet) -> None:
        self._client = client
        self._fleet = fleet
        self._rounds = 0
        self.echoes: list[TaskHandle[Any]] = []
        self.once: list[TaskHandle[Any]] = []
        """With ``on_lost="fail"``: they may be lost with their node, and never start a second time."""
        self.cancelled: list[TaskHandle[Any]] = []
        self.revived: list[TaskHandle[Any]] = []

    async def keep_up(self, is_enough: Callable[[], bool]) -> None:
        """Submit round after round until that is enough."""
        while not is_enough() and self._rounds < ROUNDS_MAX:
            await self._round()
            await asyncio.sleep(PAUSE_S)

    async def _round(self) -> None:
        client = self._client
        self._rounds += 1
        gate = str(self._fleet.folder / "a gate that nobody opens")
        held = await client.submit(app.hold, gate)
        queued = await client.submit(app.noop.options(requires={"nobody": "has"}))
        self.cancelled += [held, queued]
        self.echoes += [await client.submit(app.echo, number) for number in range(3)]
        self.echoes += await client.submit_many(app.echo_in_process, range(2))
        self.once += [await client.submit(app.nap.options(on_lost="fail"), 0.02) for _ in range(2)]
        failing = await client.submit(app.fail)
        with contextlib.suppress(TaskError):
            await failing.result(PATIENCE_S)
        await self._insist(lambda: client.retry(failing.id))
        self.revived.append(failing)
        for handle in (held, queued):
            await self._insist(lambda handle=handle: client.cancel(handle.id))  # type: ignore[misc]

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Call until a hub answers; a conflict says that an earlier try was heard."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await call()
                except HubUnavailableError:
                    await asyncio.sleep(0.05)
                except ConflictError:
                    return None

    async def settle(self) -> None:
        """Wait for every outcome, and hold it against what must have become of it."""
        for handle in self.echoes:
            await handle.result(PATIENCE_S)
        for handle in self.once:
            with contextlib.suppress(TaskLost):
                await handle.result(PATIENCE_S)
        for handle in self.cancelled:
            try:
                await handle.result(PATIENCE_S)
            except TaskCancelled:
                continue
            raise AssertionError(f"{handle.id} was cancelled, and came to a result")
        for handle in self.revived:
            # Its handle keeps the first outcome; the second is asked for anew.
            try:
                await self._client.handle(handle.id).result(PATIENCE_S)
            except TaskFailed:
                continue
            raise AssertionError(f"{handle.id} fails whenever it runs")

    def check(self, *, node_deaths: int = 0) -> None:
        """Hold the ground truth against what is allowed: a later start only where a node died, or it was asked for."""
        truth = self._fleet.truth
        assert truth.twice() == []
        reruns = [handle.id for handle in self.echoes if truth.starts_of(handle.id) > 1]
        # A node that dies takes what it runs with it: at most its slots each time.
        assert len(reruns) <= 8 * node_deaths, f"{len(reruns)} tasks ran again after {node_deaths} deaths of nodes"
        for handle in self.echoes:
            assert truth.starts_of(handle.id) >= 1
        for handle in self.once:
            assert truth.starts_of(handle.id) <= 1, f"{handle.id} ran again though it must not"
        for handle in self.cancelled:
            assert truth.starts_of(handle.id) <= 1 + node_deaths
        for handle in self.revived:
            # Nobody can know whether a retry that was not answered was heard.
            assert truth.starts_of(handle.id) <= 3 + node_deaths


async def carry_on_through(
    fleet: Fleet, client: Client, mend: Callable[[], None], is_broken: Callable[[], bool]
) -> Crowd:
    """Keep the work up until something is broken, mend it, and wait until everything has its outcome."""
    crowd = Crowd(client, fleet)
    is_mended = False
    working = asyncio.create_task(crowd.keep_up(lambda: is_mended))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not is_broken() and not working.done():
                await asyncio.sleep(0.01)
        if working.done():
            await working
        assert is_broken(), "the failpoint was never reached"
        await asyncio.to_thread(mend)
        is_mended = True
        await working
        await crowd.settle()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    return crowd


async def online(client: Client, *node_ids: str) -> None:
    """Wait until these nodes have a session."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(HubUnavailableError):
                if {node.id for node in await client.nodes() if node.state == "online"} >= set(node_ids):
                    return
            await asyncio.sleep(0.05)
