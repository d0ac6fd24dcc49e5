"""The shell around `hub.decisions.history`: at the end of each step, ask the store how things stand, and put the
sample to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hub.decisions.history import Sampler
from hub.decisions.meter import Meter
from hub.decisions.samples import STEP_S, Sample
from hub.store.errors import StoreUnavailableError
from hub.store.stats import StoreStats

logger = logging.getLogger(__name__)

# A step that ends sooner than this after the last look ends with the next one: a timer may be a little early.
SHORTEST_S: Final = 1.0


class SampleTimer:
    """Takes a sample at the end of each step.

    Args:
        meter: counts from the beginning of this process.
        measure: asks the store; may raise StoreUnavailableError, then this step has no sample.
        keep: puts a sample to the store; False if the store takes none now.
        wall_s: gives the wall clock's time.
    """

    def __init__(
        self,
        meter: Meter,
        measure: Callable[[], Awaitable[StoreStats]],
        keep: Callable[[Sample], bool],
        wall_s: Callable[[], float],
    ) -> None:
        self._sampler = Sampler(meter)
        self._measure = measure
        self._keep = keep
        self._wall_s = wall_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop. Twice is harmless."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="samples")

    def stop(self) -> None:
        """Take no more. Twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(pause_s(self._wall_s()))
            try:
                await self.take()
            except Exception:
                # The top of the task: a fault costs this sample, and not all that would follow.
                logger.exception("a sample failed")

    async def take(self) -> None:
        """Take one sample now."""
        try:
            stats = await self._measure()
        except StoreUnavailableError as error:
            logger.debug("no sample: %s", error)
            return
        # Taken also where it cannot be kept: the next one is of its own step alone.
        sample = self._sampler.take(stats, self._wall_s())
        if not self._keep(sample):
            logger.debug("a sample is not kept: the store takes no commits")


def pause_s(wall_s: float) -> float:
    """Give how long until the end of the step."""
    left_s = STEP_S - wall_s % STEP_S
    return left_s if left_s >= SHORTEST_S else left_s + STEP_S
