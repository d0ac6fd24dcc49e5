"""The hub as its alerts see it: what the core, the meter and the disk say, in the words of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from hub.alerts.facts import Disk, NameCounts, PresentNode
from hub.decisions.core import HubCore
from hub.decisions.meter import Meter
from hub.disk import DiskWatch
from hub.driver import Driver
from hub.store.contract import Store
from hub.store.now import Now
from hub.store.reader import StoreReader

T = TypeVar("T")


class ObservedHub:
    """A `hub.alerts.lookout.Watched`. On the event loop's thread."""

    def __init__(
        self,
        *,
        core: HubCore,
        driver: Driver,
        reader: StoreReader,
        meter: Meter,
        disk: DiskWatch,
        state: Path,
        clock: Callable[[], Now],
    ) -> None:
        self._core = core
        self._meter = meter
        self._disk = disk
        self._state = state
        self._reader = reader
        self.now = clock
        self.put = driver.put
        self.perform = driver.perform

    async def read(self, query: Callable[[Store], T]) -> T:
        """Ask the store. Raises StoreUnavailableError."""
        return await self._reader.read(query)

    def why_degraded(self) -> str | None:
        """Say why the store takes no commits, None if it does."""
        return self._core.degraded

    def is_suspicious(self) -> bool:
        """Tell whether so many nodes are silent at once that the hub suspects itself."""
        return self._core.suspicious

    def present(self) -> Sequence[PresentNode]:
        """Give the nodes with a live session."""
        return [
            PresentNode(
                session.profile,
                session.registration.name,
                session.registration.version,
                session.takes_work,
                session.skew_s,
            )
            for session in self._core.sessions()
        ]

    def disk_room(self) -> Disk | None:
        """Give how much room the disk of the state has."""
        space = self._disk.space
        if space is None:
            return None
        return Disk(path=str(self._state), free_bytes=space.free_bytes, total_bytes=space.total_bytes)

    def take_departures(self) -> Sequence[str]:
        """Give the ids of nodes that lost their connection since the last call."""
        return self._core.take_departures()

    def ended_by_name(self) -> Mapping[str, NameCounts]:
        """Count the attempts that ended by task name."""
        failures = self._meter.failures
        return {name: NameCounts(runs.count, failures[name]) for name, runs in self._meter.runs.items()}
