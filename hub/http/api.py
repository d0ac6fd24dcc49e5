"""What every handler of the API is given."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from hub.http.backend import HubBackend
from hub.http.bodies import BATCHES_BYTES_MAX, SINGLES_BYTES_MAX, Room
from hub.http.decoding import TaskDecoder
from hub.http.login_cookie import LoginSigner
from hub.http.login_limit import FailureLimit
from hub.http.security import Door
from hub.http.shared_answer import SharedAnswer
from hub.http.task_ids import TaskIds
from hub.metrics.exposition import Exposition
from hub.metrics.reading import Reading
from hub.settings import HubSettings
from hub.store.errors import StoreUnavailableError
from hub.tokens import TokenBook

# Many open pages ask for the map as often as one would; it is as old as this at most.
MAP_HOLD_S: Final = 0.5

# How long a scrape waits for the store's counts. Prometheus gives up after 10 s, and then has not even the rest.
STATS_WITHIN_S: Final = 3.0


class Api:
    """The hub behind the API, and what guards the way to it.

    Args:
        backend: the hub.
        settings: how it is run.
        tokens: who may come in.
        wall_s: gives the wall clock's time.
        login_key: signs the cookies of browsers.
    """

    def __init__(
        self,
        backend: HubBackend,
        settings: HubSettings,
        tokens: TokenBook,
        wall_s: Callable[[], float],
        login_key: bytes,
    ) -> None:
        self.backend = backend
        self.settings = settings
        self.wall_s = wall_s
        self.door = Door(
            tokens, settings.http_host, wall_s, signer=LoginSigner(login_key), hub_id=backend.health().hub_id
        )
        self.login_failures = FailureLimit()
        self.new_id = TaskIds(wall_s)
        self.decoder = TaskDecoder(self.new_id, settings.payload_bytes_max)
        self.room_for_batches = Room(BATCHES_BYTES_MAX)
        self.room_for_singles = Room(SINGLES_BYTES_MAX)
        self.map_answer = SharedAnswer(MAP_HOLD_S)
        self.bulks_under_way = 0
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """Answered requests by method, route and status."""
        self.exposition = Exposition(self._reading)

    async def _reading(self) -> Reading:
        try:
            async with asyncio.timeout(STATS_WITHIN_S):
                stats = await self.backend.read(lambda store: store.stats())
        except (StoreUnavailableError, TimeoutError):
            # What the hub knows without its store is worth most when the store is away.
            stats = None
        return self.backend.reading(stats, self.requests)
