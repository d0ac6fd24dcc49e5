"""Gathers the facts of a look: asks the hub, its store and its files. What cannot be found out now is left open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from hub.alerts import certificates
from hub.alerts.facts import Alarm, Certificate, Disk, Facts, HubStart, NameCounts, PresentNode, Token
from hub.store.contract import Operation, Store
from hub.store.errors import StoreUnavailableError
from hub.store.now import Now

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Of what is costly to know one look in five asks: the queue by class, certificates, tokens.
COSTLY_EVERY: Final = 5

# Classes and priorities of the queue that are looked at: 5 us each.
QUEUE_HEADS_MAX: Final = 1_000

# Alarms between two looks; a storm of them says the same.
ALARMS_MAX: Final = 1_000

# How long a look waits for a disk: that of a network may never answer.
DISK_WITHIN_S: Final = 5.0


class Watched(Protocol):
    """The hub, as its alerts see it. All on the event loop's thread."""

    def now(self) -> Now:
        """Give the time."""
        ...

    def why_degraded(self) -> str | None:
        """Say why the store takes no commits, None if it does."""
        ...

    def is_suspicious(self) -> bool:
        """Tell whether so many nodes are silent at once that the hub suspects itself."""
        ...

    def present(self) -> Sequence[PresentNode]:
        """Give the nodes with a live session."""
        ...

    def take_departures(self) -> Sequence[str]:
        """Give the ids of nodes that lost their connection since the last call, once for each time."""
        ...

    def ended_by_name(self) -> Mapping[str, NameCounts]:
        """Count the attempts that ended by task name, since this process began."""
        ...

    def disk_room(self) -> Disk | None:
        """Give how much room the disk of its state has, None if that is not known."""
        ...

    async def read(self, query: Callable[[Store], T]) -> T:
        """Ask the store. Raises StoreUnavailableError."""
        ...

    def put(self, operation: Operation) -> asyncio.Future[object]:
        """Put an operation to the store, however long it takes; the future has its answer."""
        ...

    async def perform(self, operation: Operation) -> object:
        """Put an operation to the store and wait for its commit. Raises HubDegradedError or HubStoppingError."""
        ...


class Lookout:
    """Looks at one hub.

    Args:
        watched: the hub.
        version: its version.
        certificate_paths: its certificates.
    """

    def __init__(self, watched: Watched, version: str, certificate_paths: Sequence[Path]) -> None:
        self._watched = watched
        self._version = version
        self._certificate_paths = certificate_paths
        self._start: HubStart | None = None
        self._began_s = 0.0
        self._looks = 0
        self._alarms: list[Alarm] = []
        self._reading: asyncio.Future[list[Certificate]] | None = None

    def begin(self, found: HubStart | None) -> None:
        """Count the time from here on. ``found``: what the hub found when it started, None on a new store."""
        self._start = found
        self._began_s = self._watched.now().steady_s

    def note_alarm(self, kind: str, node_id: str, message: str) -> None:
        """Take note of an alarm for the next look."""
        if len(self._alarms) < ALARMS_MAX:
            self._alarms.append(Alarm(kind=kind, node_id=node_id, message=message))

    async def look(self) -> Facts:
        """Give the facts of this moment; each fifth time also what is costly to know."""
        watched = self._watched
        away = await self._ask(lambda store: store.away_nodes())
        stats = await self._ask(lambda store: store.stats())
        facts = Facts(
            now=watched.now(),
            watched_s=0.0 if not self._looks else watched.now().steady_s - self._began_s,
            hub_version=self._version,
            degraded=watched.why_degraded(),
            is_suspicious=watched.is_suspicious(),
            start=self._start,
            present=watched.present(),
            away=away,
            departures=watched.take_departures(),
            alarms=self._take_alarms(),
            has_queue=stats is not None,
            oldest_queued_at=None if stats is None else stats.oldest_queued_at,
            names=watched.ended_by_name(),
            disk=watched.disk_room(),
        )
        if self._looks % COSTLY_EVERY == 0:
            facts = await self._add_costly(facts)
        self._looks += 1
        return facts

    async def _add_costly(self, facts: Facts) -> Facts:
        heads = await self._ask(lambda store: store.queue_heads(QUEUE_HEADS_MAX))
        rows = await self._ask(lambda store: store.tokens())
        tokens = None
        if rows is not None:
            tokens = [
                Token(
                    id=row.token_id, name=row.name, role=row.role, created_at=row.created_at, expires_at=row.expires_at
                )
                for row in rows
                if row.expires_at is not None and row.revoked_at is None
            ]
        found = await self._read_certificates() if self._certificate_paths else []
        return replace(facts, heads=heads, tokens=tokens, certificates=found)

    async def _ask(self, query: Callable[[Store], T]) -> T | None:
        try:
            return await self._watched.read(query)
        except StoreUnavailableError as error:
            logger.debug("a look for alerts goes without an answer of the store: %s", error)
            return None

    def _take_alarms(self) -> list[Alarm]:
        taken, self._alarms = self._alarms, []
        return taken

    async def _read_certificates(self) -> list[Certificate] | None:
        """Read the certificates on a thread; one at a time, since a disk that hangs would be joined by others."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(asyncio.to_thread(_certificates, self._certificate_paths))
        try:
            async with asyncio.timeout(DISK_WITHIN_S):
                return await asyncio.shield(self._reading)
        except TimeoutError:
            logger.warning("the files of the certificates cannot be read within %.0f s", DISK_WITHIN_S)
            return None


def _certificates(paths: Sequence[Path]) -> list[Certificate]:
    """Read when each certificate runs out. Blocks."""
    found = []
    for path in paths:
        try:
            at = certificates.expires_at(path.read_text("ascii", "replace"))
        except (OSError, ValueError) as error:
            logger.warning("the certificate %s cannot be read: %s", path, error)
            continue
        if at is not None:
            found.append(Certificate(path=str(path), expires_at=at))
    return found
