"""The client of the demo: submits the work in waves, and writes down what it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

from dashboards.demo.workload import PlannedTask
from dashboards.installation.clients import Submitted, Told, outcome_of
from moorline import Client, Options, TaskHandle

# Half of the work at once, so that everybody is busy. The rest drips in over this time, also while the hub is dead, so
# that there is work under way for both kills, however few the tasks are.
DRIP_S = 10.0
DRIP_EVERY_S = 0.25

# Ten times what the longest takes.
TASK_TIMEOUT_S = 60.0
# What a hub gives by default. Written down, for the judge goes by it.
LEASE_S = 300.0


class Customer:
    """Submits each task once, and waits for each outcome. Knows nothing of what is being killed."""

    def __init__(self, client: Client, planned: Sequence[PlannedTask], on_told: Callable[[Told], None]) -> None:
        self._client = client
        self._planned = planned
        self._on_told = on_told
        self.submitted: list[Submitted] = []
        self.told: list[Told] = []

    async def run(self) -> None:
        """Submit everything and wait for all of it; cancelling it leaves the tasks to the hub.

        Raises:
            HubUnavailableError: in an exception group: the hub was away for longer than a submit waits.
        """
        async with asyncio.TaskGroup() as waits:
            for wave in waves(self._planned):
                async with asyncio.TaskGroup() as submits:
                    for planned in wave:
                        submits.create_task(self._submit(planned, waits))
                await asyncio.sleep(DRIP_EVERY_S)

    async def _submit(self, planned: PlannedTask, waits: asyncio.TaskGroup) -> None:
        handle = await self._client.submit_payload(
            planned.name, planned.payload, Options(timeout_s=TASK_TIMEOUT_S, lease_s=LEASE_S)
        )
        # What is looked at may be broken: a task that says so has failed, and that is well.
        self.submitted.append(Submitted(task_id=handle.id, at=time.time(), name=planned.name, fails_for_good=None))
        waits.create_task(self._wait(handle))

    async def _wait(self, handle: TaskHandle[object]) -> None:
        outcome = await outcome_of(handle)
        told = Told(task_id=handle.id, outcome=outcome, at=time.time())
        self.told.append(told)
        self._on_told(told)


def waves(planned: Sequence[PlannedTask]) -> Iterator[Sequence[PlannedTask]]:
    """Cut the work into waves: half of it, and then equal drips."""
    half = (len(planned) + 1) // 2
    yield planned[:half]
    size = max(1, round((len(planned) - half) * DRIP_EVERY_S / DRIP_S))
    for start in range(half, len(planned), size):
        yield planned[start : start + size]
