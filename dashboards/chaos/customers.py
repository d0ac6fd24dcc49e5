"""The clients: they submit a steady stream, wait for each outcome, cancel some, and write down what they are told.

How much is under way at once is bounded, so that the load follows what the machine and the fleet can do.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dashboards.chaos.workload import PlannedTask
from dashboards.installation.clients import Submitted, Told, outcome_of
from moorline import Client, HubUnavailableError, MoorlineError, TaskHandle

# A hub that was killed is asked again after this long, by whoever wants something cancelled.
ASK_AGAIN_S: Final = 0.5


class Log:
    """What all clients know: what was accepted, what they were told, and what was refused as a duplicate."""

    def __init__(self) -> None:
        self.submitted: dict[str, Submitted] = {}
        self.told: list[Told] = []
        self.outcomes: Counter[str] = Counter()
        self.tries = 0
        """How many tasks were offered to the hub, also those whose acceptance nobody heard of."""
        self.unanswered = 0
        """Offered, and no answer came in the time that a client tries: whether the hub has them is open."""
        self.duplicates_refused = 0
        self.problems: list[str] = []
        """What a client was told that must not be."""

    @property
    def open_tasks(self) -> list[str]:
        """The accepted tasks that have no outcome yet."""
        told = {entry.task_id for entry in self.told}
        return [task_id for task_id in self.submitted if task_id not in told]

    @property
    def open_count(self) -> int:
        """How many those are."""
        return len(self.submitted) - self.outcomes.total()


class Customer:
    """One client and its stream of tasks.

    Args:
        client: the way to the hub.
        tasks: an endless supply; several customers may share it.
        log: where it writes down what it is told.
        rate_per_s: how many it submits per second at most.
        open_max: how many of its tasks are under way at once at most.
    """

    def __init__(
        self, client: Client, tasks: Iterator[PlannedTask], log: Log, *, rate_per_s: float, open_max: int
    ) -> None:
        self._client = client
        self._tasks = tasks
        self._log = log
        self._pause_s = 1.0 / rate_per_s
        self._open_max = open_max
        self._room = asyncio.Semaphore(open_max)
        self._is_enough = asyncio.Event()

    async def run(self) -> None:
        """Submit until `stop`, and return when each task has its outcome. Cancelling it leaves the tasks to the hub."""
        async with asyncio.TaskGroup() as group:
            while not self._is_enough.is_set():
                await self._room.acquire()
                if self._is_enough.is_set():
                    return
                group.create_task(self._see_through(next(self._tasks)))
                await self._pause()

    def stop(self) -> None:
        """Submit nothing more."""
        self._is_enough.set()
        # Whoever waits for room need not wait for an outcome.
        self._room.release()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._pause_s):
                await self._is_enough.wait()
        except TimeoutError:
            return

    async def _see_through(self, planned: PlannedTask) -> None:
        """Take one task from its submit to its outcome."""
        try:
            handle = await self._submit(planned)
            if handle is None:
                return
            if planned.is_sent_twice:
                await self._submit_again(planned, handle)
            if planned.cancel_after_s is not None:
                await self._cancel(handle, planned.cancel_after_s)
            await self._wait(handle)
        finally:
            self._room.release()

    async def _submit(self, planned: PlannedTask) -> TaskHandle[object] | None:
        self._log.tries += 1
        try:
            handle = await self._client.submit_payload(planned.name, planned.payload, planned.options)
        except HubUnavailableError:
            self._log.unanswered += 1
            return None
        except MoorlineError as error:
            self._log.problems.append(f"a submit of {planned.name} was refused: {error}")
            return None
        self._log.submitted[handle.id] = Submitted(
            task_id=handle.id,
            at=time.time(),
            name=planned.name,
            fails_until=planned.fails_until,
            fails_for_good=planned.fails_for_good,
            may_run_again=planned.options.on_lost == "retry",
        )
        return handle

    async def _submit_again(self, planned: PlannedTask, handle: TaskHandle[object]) -> None:
        try:
            second = await self._client.submit_payload(planned.name, planned.payload, planned.options)
        except HubUnavailableError:
            return
        except MoorlineError as error:
            self._log.problems.append(f"the second submit of {handle.id} was refused: {error}")
            return
        if second.id == handle.id:
            self._log.duplicates_refused += 1
        else:
            self._log.problems.append(f"the idempotency key of {handle.id} gave a second task, {second.id}")

    async def _cancel(self, handle: TaskHandle[object], after_s: float) -> None:
        await asyncio.sleep(after_s)
        log = self._log
        log.submitted[handle.id] = replace(log.submitted[handle.id], cancelled_at=time.time())
        while not handle.is_done:
            try:
                await handle.cancel()
            except HubUnavailableError:
                await asyncio.sleep(ASK_AGAIN_S)
            except MoorlineError as error:
                log.problems.append(f"{handle.id} was accepted and cannot be cancelled: {error}")
                return
            else:
                return

    async def _wait(self, handle: TaskHandle[object]) -> None:
        try:
            outcome = await outcome_of(handle)
        except MoorlineError as error:
            # Such as a hub that no longer knows what it accepted: no outcome, so it counts as lost.
            self._log.problems.append(f"{handle.id} was accepted, and nobody can say what it came to: {error}")
            return
        self._log.told.append(Told(task_id=handle.id, outcome=outcome, at=time.time()))
        self._log.outcomes[outcome] += 1
