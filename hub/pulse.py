"""The pulse: the hub's counts and its verdict, once a second, for those who look. Computed once for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hub.events.feed import EventFeed
from hub.store.errors import StoreUnavailableError

logger = logging.getLogger(__name__)

# As often as an eye takes in a number.
EVERY_S: Final = 1.0


class Pulse:
    """Tells the feed's `hub.pulse` listeners how things are; costs nothing while there are none.

    Args:
        feed: who listens.
        measure: gives the encoded ``data`` of a pulse. May raise StoreUnavailableError: that beat is left out.
    """

    def __init__(self, feed: EventFeed, measure: Callable[[], Awaitable[bytes]]) -> None:
        self._feed = feed
        self._measure = measure
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat, on the running loop. Twice is harmless."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._beat(), name="pulse")

    def stop(self) -> None:
        """Beat no more. Twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _beat(self) -> None:
        while True:
            if self._feed.has_pulse_listeners:
                try:
                    self._feed.pulse(await self._measure())
                except StoreUnavailableError as error:
                    logger.debug("no pulse: %s", error)
                except Exception:
                    # The top of the task: a fault here must not leave everybody who looks with an old picture for good.
                    logger.exception("a pulse failed")
            await asyncio.sleep(EVERY_S)
