"""The hub put together: store, core, gateway and HTTP API on one event loop, started and stopped in order.

This is the shell that carries out the core's effects. It holds no policy: what to do stands in `hub.decisions.core`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import msgspec

from hub.alerts.facts import HubStart
from hub.alerts.messages import HubName
from hub.alerts.reading import AlertSettings, read_settings
from hub.alerts.watch import AlertWatch
from hub.calls import Calls
from hub.clock import Clock
from hub.decisions import effects as does
from hub.decisions.admission import Admission
from hub.decisions.core import HubCore
from hub.decisions.core_state import CoreSettings
from hub.decisions.effects import ConnectionId, Effect, RequestId, Ticket
from hub.decisions.leases import SILENT_HEARTBEATS
from hub.decisions.meter import Meter
from hub.decisions.samples import Sample
from hub.decisions.sessions import LiveNode
from hub.disk import DiskWatch
from hub.errors import HubDegradedError, HubStoppingError, SettingsError
from hub.events.feed import EventFeed
from hub.events.filter import PULSE
from hub.gateway import Gateway, NodeGrant
from hub.http.application import make_application
from hub.http.backend import AlertCounts, Health
from hub.http.hub_views import PulseObject, stats_answer
from hub.http.login_cookie import kept_key
from hub.http.server import HttpServer
from hub.metrics.gathering import gather
from hub.metrics.instruments import Instruments
from hub.metrics.reading import Reading
from hub.observed import ObservedHub
from hub.pulse import Pulse
from hub.sampler import SampleTimer
from hub.settings import DATABASE_NAME, HubSettings, is_loopback
from hub.store.contract import Committed, Operation, Store
from hub.store.errors import StoreUnavailableError
from hub.store.history import Deed, NoteDeed, NoteSample
from hub.store.node_views import NodeView
from hub.store.nodes import HubStarted, Inherited
from hub.store.reader import StoreReader
from hub.store.sqlite.store import SqliteStore
from hub.store.stats import StoreStats
from hub.store.submissions import Broadcasted, Submitted
from hub.store.tasks import NewTask
from hub.store.wishes import Cancelled, Revived
from hub.store.writer import StoreWriter
from hub.tls import Tls
from hub.tokens import Grant, TokenBook
from protocol.close_codes import CloseCode
from protocol.frames import HubLimits, NodeFrame, Progress
from protocol.logs import fields

logger = logging.getLogger(__name__)

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode

# How long a stopping hub goes on taking and acking results before it closes its connections.
STOP_GRACE_S = 2.0

# How often tokens are read again: a revoked one ends its sessions within a second.
TOKENS_EVERY_S = 0.5

# A commit that takes longer is not coming: the disk hangs, as that of a network may, without a failure that would be
# told. Half of what callers wait; past it new ones are refused, before all that they bring has piled up.
STUCK_AFTER_S = 15.0

# At so many ticks it must have been so: a hub that was stopped itself finds its commit old when it wakes up.
STUCK_TICKS = 2

# The longest sleep between two ticks.
TICK_S_MAX = 0.5

# The shortest: a backlog of due tasks must leave room for everything else.
TICK_S_MIN = 0.005


def hub_version() -> str:
    """Give the installed version of Moorline."""
    try:
        return version("moorline")
    except PackageNotFoundError:
        return "0"


class HubService:
    """One hub, on one event loop.

    Args:
        settings: how it is run.
        wrap_store: gives what is used in the store's place; for tests of a store that fails.
    """

    def __init__(self, settings: HubSettings, *, wrap_store: Callable[[Store], Store] = lambda store: store) -> None:
        self.settings = settings
        self.events = EventFeed()
        self.meter = Meter()
        self.instruments = Instruments(self.meter)
        self._wrap_store = wrap_store
        self._clock = Clock()
        self._tokens = TokenBook()
        self._disk = DiskWatch(settings.state / DATABASE_NAME)
        self._calls = Calls()
        self._tick_timer: asyncio.TimerHandle | None = None
        self._tick_at_s = 0.0
        self._stuck_ticks = 0
        self._tls: Tls | None = None
        self._idle = asyncio.Event()
        self._ends: contextlib.AsyncExitStack | None = None
        self._stopping = False
        self.started_at = 0.0
        self.hub_id = ""

    # --- starting and stopping --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, take note of what it holds, listen; returns when nodes and clients are accepted.

        Raises:
            SettingsError: it would be open to strangers.
            StoreRefusedError: the database is damaged, too new, or in use.
            OSError: an address cannot be had.
        """
        self._loop = asyncio.get_running_loop()
        self.started_at = self._clock().wall_s
        async with contextlib.AsyncExitStack() as ends:
            self._open_store(ends)
            # Before anything is open: a certificate that cannot be read is the operator's to mend.
            tls = self._tls = self._load_tls()
            await self._begin(ends)
            await self._gateway.start(self.settings.node_host, self.settings.node_port, tls.for_nodes if tls else None)
            ends.push_async_callback(self._gateway.stop)
            application = make_application(self, self.settings, self._tokens, login_key=kept_key(self.settings.state))
            self._http = HttpServer(application)
            await self._http.start(self.settings.http_host, self.settings.http_port, tls.for_clients if tls else None)
            ends.push_async_callback(self._http.stop)
            ends.callback(self.events.close)
            watching = self._loop.create_task(self._watch_tokens(), name="token watch")
            ends.callback(watching.cancel)
            ends.callback(self._disk.stop)
            await self._disk.start()
            pulse = Pulse(self.events, self._measure_pulse)
            pulse.start()
            ends.callback(pulse.stop)
            samples = SampleTimer(self.meter, self._measure, self._keep_sample, lambda: self._clock().wall_s)
            samples.start()
            ends.callback(samples.stop)
            await self._alerts.start(self._found_at_start())
            ends.push_async_callback(self._alerts.stop)
            self._tick()
            self._ends = ends.pop_all()

    def _open_store(self, ends: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = SqliteStore.open(settings.state / DATABASE_NAME, durability=settings.durability)
        ends.callback(store.close)
        self._clock = Clock.kept_in(settings.state, last_steady_s=store.last_steady_s())
        self.hub_id = store.hub_id
        self._tokens.replace(store.tokens(), self._clock().wall_s)
        self._check_doors()
        self._store = self._wrap_store(store)

    async def _begin(self, ends: contextlib.AsyncExitStack) -> None:
        """Start the store's threads and the core, with what the store holds."""
        settings = self.settings
        self._core = HubCore(self._core_settings(), new_id=lambda: secrets.token_hex(12), luck=random.random)
        self._reader = StoreReader(self._store)
        self._reader.start()
        ends.push_async_callback(asyncio.to_thread, self._reader.stop)
        self._writer = StoreWriter(
            self._store,
            self._clock,
            loop=self._loop,
            on_committed=self._committed,
            on_degraded=self._degraded,
            on_recovered=self._recovered,
        )
        self._writer.start()
        ends.push_async_callback(asyncio.to_thread, self._writer.stop)
        self._gateway = Gateway(
            self,
            needs_token=lambda: self._tokens.has_tokens,
            check_token=self._check_node_token,
            admission=Admission(settings.admissions_per_s),
            clock=self._clock,
            connections_max=settings.connections_max,
            connections_per_address_max=settings.connections_per_address_max,
            silent_after_s=SILENT_HEARTBEATS * settings.heartbeat_s,
        )
        self._alerts = self._make_alerts()
        started = HubStarted(hub_id=self.hub_id)
        self._inherited = _expect(await self.perform(started), Inherited)
        self._core.started(self._inherited, self._clock())

    def _make_alerts(self) -> AlertWatch:
        """Make the watch for alerts. Raises SettingsError: a channel names what is not there."""
        settings = self.settings
        files = tuple(path for path in (settings.tls_cert, settings.client_ca) if path is not None)
        return AlertWatch(
            ObservedHub(
                core=self._core,
                meter=self.meter,
                disk=self._disk,
                state=settings.state,
                clock=self._clock,
                store=self,
            ),
            self._alert_settings(),
            HubName(id=self.hub_id, version=hub_version()),
            certificate_paths=files,
        )

    def _found_at_start(self) -> HubStart | None:
        """Say what was there when the hub started; None on a new store."""
        inherited, now = self._inherited, self._clock()
        if not inherited.nodes and not any(inherited.tasks.values()):
            return None
        return HubStart(at=now.wall_s, started_s=now.steady_s, tasks=inherited.tasks, nodes=inherited.nodes)

    def _check_doors(self) -> None:
        settings = self.settings
        if settings.is_loopback_only or settings.insecure or self._tokens.has_tokens:
            return
        hosts = dict.fromkeys(host for host in (settings.node_host, settings.http_host) if not is_loopback(host))
        message = f"{' and '.join(hosts)} can be reached by others, and there are no tokens"
        remedy = f"moorline token create --role admin --state {settings.state}, or --insecure if the network is trusted"
        raise SettingsError(message, remedy)

    def _core_settings(self) -> CoreSettings:
        settings = self.settings
        return CoreSettings(
            hub_id=self.hub_id,
            version=hub_version(),
            heartbeat_s=settings.heartbeat_s,
            admissions_per_s=settings.admissions_per_s,
            limits=HubLimits(result_bytes_max=settings.result_bytes_max),
            retention_s=settings.retention_s,
            retention_count=settings.retention_count,
            gone_after_s=settings.gone_after_s,
        )

    def _load_tls(self) -> Tls | None:
        """Give what the ports serve. Raises what `Tls` raises."""
        settings = self.settings
        return None if settings.tls_cert is None else Tls(settings.tls_cert, settings.tls_key, settings.client_ca)

    def _alert_settings(self) -> AlertSettings:
        """Read the rules of alerts. Raises SettingsError."""
        path = self.settings.alerts
        return AlertSettings() if path is None else read_settings(path)

    async def reload(self) -> bool:
        """Read again, while all goes on, what may change under a hub that runs: certificates, and the rules and
        channels of alerts. What cannot be stays as it was, and is told to the log. Gives whether all of it could be.
        """
        if self._ends is None:
            # It has just read them, or is on its way down.
            return True
        is_well = True
        if self._tls is not None:
            try:
                self._tls.load()
            except OSError as error:
                logger.error("the certificate stays as it was: %s", error)
                is_well = False
            else:
                logger.info("the certificate was read again")
        try:
            alerts = self._alert_settings()
            await self._alerts.reload(alerts)
        except SettingsError as error:
            logger.error("the rules of alerts stay as they were: %s; %s", error.message, error.remedy)
            is_well = False
        else:
            logger.info("alerts: %d rules and %d channels were read", len(alerts.rules), len(alerts.channels))
        return is_well

    @property
    def node_port(self) -> int:
        """The port that nodes connect to."""
        return self._gateway.port

    @property
    def http_port(self) -> int:
        """The port of the HTTP API."""
        return self._http.port

    async def stop(self) -> None:
        """Stop pushing, tell the nodes, commit and ack what still comes, close with 1012; twice is harmless."""
        ends, self._ends = self._ends, None
        if ends is None:
            return
        self._stopping = True
        async with ends:
            self._gateway.refuse_newcomers()
            self._apply(self._core.stop())
            await self._settle_down()
            if self._tick_timer is not None:
                self._tick_timer.cancel()
        self._calls.end()

    async def _settle_down(self) -> None:
        """Wait until nothing is on its way to the store, for a bounded time."""
        if not self._writer.pending:
            return
        self._idle.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE_S):
                await self._idle.wait()

    # --- carrying out effects ---------------------------------------------------------------------------------------

    def _apply(self, effects: Sequence[Effect]) -> None:
        """Do what the core said, in order."""
        for effect in effects:
            match effect:
                case does.Persist():
                    self._writer.put(effect.operation, effect.ticket)
                case does.Send():
                    self._gateway.send(effect.connection, effect.frames)
                case does.Mark():
                    self._gateway.mark(effect.connection)
                case does.Close():
                    self._gateway.close(effect.connection, effect.code, effect.reason)
                case does.Reply():
                    self._calls.answer(effect.request, effect.answer)
                case does.Tell():
                    self.events.tell(effect.node_id, effect.frame, self._clock().wall_s)
                case does.Alarm():
                    about = fields(
                        node_id=effect.node_id, task_id=effect.task_id, attempt=effect.attempt, alarm=effect.kind
                    )
                    logger.warning("%s: %s", effect.kind, effect.message, extra=about)
                    self._alerts.note_alarm(effect.kind, effect.node_id, effect.message)

    def _committed(self, done: list[tuple[Ticket, object]], committed: Committed) -> None:
        if self._stuck_ticks >= STUCK_TICKS:
            self._recovered()
        self._stuck_ticks = 0
        self.events.publish(committed.events, committed.values)
        now = self._clock()
        self.meter.take(committed, now.steady_s)
        self.instruments.committed(committed)
        self._apply(self._core.committed(done, committed.waiting, now))
        # A sweep says when the next task is due.
        self._wake_by()
        if not self._writer.pending:
            self._idle.set()

    def _degraded(self, reason: str) -> None:
        logger.error("degraded: %s; sessions are kept, nothing is sent or acked until the store takes commits", reason)
        self._apply(self._core.store_degraded(reason))

    def _recovered(self) -> None:
        self._stuck_ticks = 0
        logger.warning("recovered: the store takes commits again")
        self._apply(self._core.store_recovered(self._clock()))

    def _look_at_commit(self) -> None:
        """Notice a store that does not answer. One that fails says so itself."""
        commit_s = self._writer.commit_s
        if commit_s < STUCK_AFTER_S or self._core.degraded is not None:
            return
        self._stuck_ticks += 1
        if self._stuck_ticks == STUCK_TICKS:
            self._degraded(f"a commit has not come back for {commit_s:.0f} s")

    def _tick(self) -> None:
        if self._tick_timer is not None:
            self.instruments.ticked(self._loop.time() - self._tick_at_s)
        self._look_at_commit()
        now = self._clock()
        self._apply(self._core.tick(now))
        self._tick_after(min(TICK_S_MAX, max(TICK_S_MIN, self._core.wake_at_s() - now.steady_s)))

    def _wake_by(self) -> None:
        """Tick sooner if something is due before the next tick."""
        if self._stopping:
            return
        delay_s = max(TICK_S_MIN, self._core.wake_at_s() - self._clock().steady_s)
        if self._tick_timer is not None and self._loop.time() + delay_s < self._tick_at_s:
            self._tick_timer.cancel()
            self._tick_after(delay_s)

    def _tick_after(self, delay_s: float) -> None:
        # The time is kept here: what uvloop gives for a delay of nothing does not know when it is due.
        self._tick_at_s = self._loop.time() + delay_s
        self._tick_timer = self._loop.call_later(delay_s, self._tick)

    async def _watch_tokens(self) -> None:
        """Read the tokens again and again, and end the sessions of those that are revoked."""
        while True:
            await asyncio.sleep(TOKENS_EVERY_S)
            try:
                rows = await self.read(lambda store: store.tokens())
            except StoreUnavailableError:
                continue
            ended = self._tokens.replace(rows, self._clock().wall_s)
            if ended:
                self._gateway.close_where(
                    lambda grant, ended=ended: grant is not None and grant.token_id in ended,  # type: ignore[misc]
                    CloseCode.UNAUTHORIZED,
                    "the token was revoked or ran out",
                )
                self.events.end_streams(ended)

    def lend_token(self) -> str:
        """Give a secret that is an administrator's for as long as this process lives, and is kept nowhere.

        For whoever sits at the hub's own terminal: they could make themselves a token there anyway.
        """
        return self._tokens.lend("the hub's own terminal", self._clock().wall_s)

    def _check_node_token(self, secret: str) -> NodeGrant | None:
        grant: Grant | None = self._tokens.check(secret, self._clock().wall_s)
        if grant is not None and grant.role != "node":
            raise PermissionError(f"this token has the role {grant.role}; a node needs one with the role node")
        return grant

    # --- what the gateway tells -------------------------------------------------------------------------------------

    def node_opened(self, connection: ConnectionId, allowed_node: str | None) -> None:
        """A socket was accepted."""
        self._core.opened(connection, allowed_node, self._clock())

    def node_frames(self, connection: ConnectionId, message: Sequence[NodeFrame]) -> None:
        """Frames came. Raises ProtocolError if they came out of turn."""
        self._apply(self._core.received(connection, message, self._clock()))

    def mark_left(self, connection: ConnectionId) -> None:
        """All that was to be sent on a connection before its mark has left."""
        self._apply(self._core.mark_left(connection))

    def node_closed(self, connection: ConnectionId, reason: str) -> None:
        """A socket is gone."""
        self._apply(self._core.closed(connection, reason))

    @property
    def alerts(self) -> AlertWatch:
        """The hub's alerts."""
        return self._alerts

    # --- what the API asks ------------------------------------------------------------------------------------------

    async def _perform(self, ask: Callable[[RequestId], Sequence[Effect]]) -> object:
        """Carry out a call and wait for its commit.

        Cancelling the wait does not undo the call: it may still be committed.
        """
        self._check_open()
        request = self._calls.begin()
        self._apply(ask(request))
        return await self._calls.wait(request)

    def _check_open(self) -> None:
        """Raise HubStoppingError or HubDegradedError if no more calls are taken."""
        if self._stopping:
            raise HubStoppingError
        degraded = self._core.degraded or self._calls.why_full
        if degraded is not None:
            raise HubDegradedError(degraded)

    async def perform(self, operation: Operation) -> object:
        """Put an operation to the store and wait for its commit; raises as the other calls do."""
        return await self._perform(lambda request: [does.Persist(operation, Ticket(request=request))])

    def put(self, operation: Operation) -> asyncio.Future[object]:
        """Put an operation to the store, however long it takes; the future has its answer, or HubStoppingError."""
        request = self._calls.begin()
        self._writer.put(operation, Ticket(request=request))
        return self._calls.future(request)

    async def submit(self, tasks: Sequence[NewTask]) -> Submitted:
        """Accept tasks; returns after the commit."""
        answer = await self._perform(lambda request: self._submit(request, tasks))
        return _expect(answer, Submitted)

    def _submit(self, request: RequestId, tasks: Sequence[NewTask]) -> Sequence[Effect]:
        told = self._core.submit(request, tasks, self._clock())
        self._wake_by()
        return told

    async def broadcast(self, template: NewTask) -> Broadcasted:
        """Accept one task for each node that matches; returns after the commit."""
        answer = await self._perform(lambda request: self._core.broadcast(request, template))
        return _expect(answer, Broadcasted)

    async def cancel(self, task_ids: Sequence[str], reason: str) -> Cancelled:
        """Cancel tasks; returns after the commit."""
        answer = await self._perform(lambda request: self._core.cancel(request, task_ids, reason))
        return _expect(answer, Cancelled)

    async def revive(self, task_ids: Sequence[str]) -> Revived:
        """Queue finished tasks again; returns after the commit."""
        answer = await self._perform(lambda request: self._core.revive(request, task_ids))
        return _expect(answer, Revived)

    async def wish(
        self, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> NodeView | None:
        """Note an operator's wish about a node; returns after the commit."""
        answer = await self._perform(
            lambda request: self._core.wish(request, node_id, cordoned=cordoned, draining=draining)
        )
        return None if answer is None else _expect(answer, NodeView)

    async def disconnect(self, node_id: str) -> bool:
        """Close a node's connection; False if it has none."""
        told = self._core.disconnect(node_id)
        self._apply(told)
        return bool(told)

    def note(self, deed: Deed) -> None:
        """Put a line into the audit log; whatever is put next stands behind it."""
        self._check_open()
        self._writer.put(NoteDeed(deed=deed), Ticket())

    async def noted(self, deed: Deed) -> None:
        """Put a line into the audit log; returns after its commit."""
        await self._perform(lambda request: [does.Persist(NoteDeed(deed=deed), Ticket(request=request))])

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

    def handles(self, name: str) -> bool:
        """Tell whether a connected node handles this name."""
        return self._core.handles(name)

    def health(self) -> Health:
        """Say how the hub is."""
        firing, critical = self._alerts.counts()
        return Health(
            hub_id=self.hub_id,
            version=hub_version(),
            started_at=self.started_at,
            degraded=self._core.degraded,
            stopping=self._stopping,
            sessions=self._core.sessions_live,
            suspicious=self._core.suspicious,
            listening=self._gateway.is_listening,
            writes=self._writer.is_alive,
            disk=self._disk.space,
            rates=self.meter.rates(self._clock().steady_s),
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
            gateway=self._gateway,
            writer=self._writer,
            feed=self.events,
            meter=self.meter,
            instruments=self.instruments,
            alerts=self._alerts,
            certificate_expires_at=None if self._tls is None else self._tls.expires_at,
            requests=requests,
            calls=len(self._calls),
        )

    async def _measure(self) -> StoreStats:
        return await self.read(lambda store: store.stats())

    def _keep_sample(self, sample: Sample) -> bool:
        if self._stopping or self._core.degraded is not None:
            return False
        self._writer.put(NoteSample(sample=sample), Ticket())
        return True

    async def _measure_pulse(self) -> bytes:
        counted = await self._measure()
        wall_s = self._clock().wall_s
        return _encode(PulseObject(at=wall_s, kind=PULSE, stats=stats_answer(counted, self.health(), wall_s)))


def _expect(answer: object, kind: type[T]) -> T:
    if not isinstance(answer, kind):
        raise AssertionError(f"the store answered {type(answer).__name__} where {kind.__name__} was due")
    return answer
