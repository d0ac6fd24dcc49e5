"""The hub behind its HTTP API: the calls that change something, questions, and how it is.

A call is decided by the core and answered after its commit (`hub.driver`); a question is read from the store beside it,
or is about what only live sessions know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hub.alerts.watch import AlertWatch
from hub.calls import expect
from hub.decisions.core import HubCore
from hub.decisions.effects import Effect, RequestId, Ticket
from hub.decisions.meter import Meter
from hub.decisions.sessions import LiveNode
from hub.disk import DiskWatch
from hub.door import Door
from hub.driver import Driver
from hub.events.feed import EventFeed
from hub.gateway import Gateway
from hub.http.backend import AlertCounts, Health
from hub.metrics.gathering import gather
from hub.metrics.instruments import Instruments
from hub.metrics.reading import Reading
from hub.peers import Peers
from hub.store.contract import Store
from hub.store.history import Deed, NoteDeed
from hub.store.node_views import NodeView
from hub.store.now import Now
from hub.store.reader import StoreReader
from hub.store.stats import StoreStats
from hub.store.submissions import Broadcasted, Submitted
from hub.store.tasks import NewTask
from hub.store.wishes import Cancelled, Revived
from hub.tls import Tls
from protocol.frames import AttemptKey, Progress

T = TypeVar("T")


class Backend:
    """One hub, as `hub.http.backend.HubBackend` describes it. On the event loop.

    Args:
        hub_id, version, started_at: which hub, and since when.
        core: asked for what only live sessions know.
        driver: carries out calls.
        reader: answers questions.
        door, gateway, peers: tell whether nodes are accepted, and count them.
        events, alerts: what clients follow.
        disk, tls, meter, instruments: what is told of them.
        clock: the time.
    """

    def __init__(
        self,
        *,
        hub_id: str,
        version: str,
        started_at: float,
        core: HubCore,
        driver: Driver,
        reader: StoreReader,
        door: Door,
        gateway: Gateway,
        peers: Peers,
        events: EventFeed,
        alerts: AlertWatch,
        disk: DiskWatch,
        tls: Tls | None,
        meter: Meter,
        instruments: Instruments,
        clock: Callable[[], Now],
    ) -> None:
        self._hub_id = hub_id
        self._version = version
        self._started_at = started_at
        self._core = core
        self._driver = driver
        self._reader = reader
        self._door = door
        self._gateway = gateway
        self._peers = peers
        self.events = events
        self.alerts = alerts
        self._disk = disk
        self._tls = tls
        self._meter = meter
        self._instruments = instruments
        self._clock = clock

    # --- calls --------------------------------------------------------------------------------------------------------

    async def submit(self, tasks: Sequence[NewTask]) -> Submitted:
        """Accept tasks; returns after the commit."""
        answer = await self._driver.call(lambda request: self._submit(request, tasks))
        return expect(answer, Submitted)

    def _submit(self, request: RequestId, tasks: Sequence[NewTask]) -> Sequence[Effect]:
        told = self._core.submit(request, tasks, self._clock())
        self._driver.wake_by()
        return told

    async def broadcast(self, template: NewTask) -> Broadcasted:
        """Accept one task for each node that matches; returns after the commit."""
        answer = await self._driver.call(lambda request: self._core.broadcast(request, template))
        return expect(answer, Broadcasted)

    async def cancel(self, task_ids: Sequence[str], reason: str) -> Cancelled:
        """Cancel tasks; returns after the commit."""
        answer = await self._driver.call(lambda request: self._core.cancel(request, task_ids, reason))
        return expect(answer, Cancelled)

    async def revive(self, task_ids: Sequence[str]) -> Revived:
        """Queue finished tasks again; returns after the commit."""
        answer = await self._driver.call(lambda request: self._core.revive(request, task_ids))
        return expect(answer, Revived)

    async def wish(
        self, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> NodeView | None:
        """Note an operator's wish about a node; returns after the commit."""
        answer = await self._driver.call(
            lambda request: self._core.wish(request, node_id, cordoned=cordoned, draining=draining)
        )
        return None if answer is None else expect(answer, NodeView)

    async def disconnect(self, node_id: str) -> bool:
        """Close a node's connection; False if it has none."""
        told = self._core.disconnect(node_id)
        self._driver.apply(told)
        return bool(told)

    def note(self, deed: Deed) -> None:
        """Put a line into the audit log; whatever is put next stands behind it."""
        self._driver.check_open()
        self._driver.writer.put(NoteDeed(deed=deed), Ticket())

    async def noted(self, deed: Deed) -> None:
        """Put a line into the audit log; returns after its commit."""
        await self._driver.perform(NoteDeed(deed=deed))

    # --- questions ----------------------------------------------------------------------------------------------------

    async def read(self, query: Callable[[Store], T]) -> T:
        """Ask the store on its reader thread."""
        return await self._reader.read(query)

    def live(self, node_id: str) -> LiveNode | None:
        """Give what only a live session knows of this node."""
        return self._core.live(node_id)

    def live_nodes(self) -> dict[str, LiveNode]:
        """Give what only live sessions know, by node id."""
        return self._core.live_nodes()

    def progress(self, task_id: str) -> Progress | None:
        """Give the latest progress of a task that runs."""
        return self._core.progress(task_id)

    def is_unsent(self, node_id: str, key: AttemptKey) -> bool:
        """Tell whether an attempt that this node is to run waits here until there is room to send it."""
        return self._core.is_unsent(node_id, key)

    def handles(self, name: str) -> bool:
        """Tell whether a connected node handles this name."""
        return self._core.handles(name)

    def health(self) -> Health:
        """Say how the hub is."""
        firing, critical = self.alerts.counts()
        return Health(
            hub_id=self._hub_id,
            version=self._version,
            started_at=self._started_at,
            degraded=self._core.degraded,
            stopping=self._driver.is_stopping,
            sessions=self._core.sessions_live,
            suspicious=self._core.suspicious,
            listening=self._gateway.is_listening,
            writes=self._driver.writer.is_alive,
            disk=self._disk.space,
            rates=self._meter.rates(self._clock().steady_s),
            alerts=AlertCounts(firing=firing, critical=critical),
        )

    def reading(self, stats: StoreStats | None, requests: Mapping[tuple[str, str, int], int]) -> Reading:
        """Take a reading for the metrics."""
        return gather(
            self._clock().wall_s,
            health=self.health(),
            stats=stats,
            disk=self._disk.space,
            core=self._core,
            door=self._door,
            gateway=self._gateway,
            peers=self._peers,
            writer=self._driver.writer,
            feed=self.events,
            meter=self._meter,
            instruments=self._instruments,
            alerts=self.alerts,
            certificate_expires_at=None if self._tls is None else self._tls.expires_at,
            requests=requests,
            calls=len(self._driver.calls),
        )
