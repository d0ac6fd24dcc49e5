"""The hub put together: store, core, driver, gateway and HTTP API on one event loop, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import msgspec

from hub.alerts.facts import HubStart
from hub.alerts.messages import HubName
from hub.alerts.reading import AlertSettings, read_settings
from hub.alerts.watch import AlertWatch
from hub.backend import Backend
from hub.clock import Clock
from hub.decisions.admission import Admission
from hub.decisions.core import HubCore
from hub.decisions.core_state import CoreSettings
from hub.decisions.effects import Alarm, Ticket
from hub.decisions.leases import SILENT_HEARTBEATS
from hub.decisions.meter import Meter
from hub.decisions.samples import Sample
from hub.disk import DiskWatch
from hub.door import Door, NodeGrant
from hub.driver import Driver
from hub.errors import SettingsError
from hub.events.feed import EventFeed
from hub.events.filter import PULSE
from hub.gateway import Gateway
from hub.http.application import make_application
from hub.http.backend import Health
from hub.http.hub_views import PulseObject, stats_answer
from hub.http.login_cookie import kept_key
from hub.http.server import HttpServer
from hub.metrics.instruments import Instruments
from hub.observed import ObservedHub
from hub.peers import Peers
from hub.pulse import Pulse
from hub.sampler import SampleTimer
from hub.settings import DATABASE_NAME, HubSettings, is_loopback
from hub.store.contract import Store
from hub.store.history import NoteSample
from hub.store.reader import StoreReader
from hub.store.sqlite.store import SqliteStore
from hub.store.stats import StoreStats
from hub.store.tokens import TokenRow
from hub.tls import Tls
from hub.token_watch import TokenWatch
from hub.tokens import Grant, TokenBook
from protocol.close_codes import CloseCode
from protocol.frames import HubLimits

logger = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


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
        self._tls: Tls | None = None
        self._ends: contextlib.AsyncExitStack | None = None
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
        self.started_at = self._clock().wall_s
        async with contextlib.AsyncExitStack() as ends:
            self._open_store(ends)
            # Before anything is open: a certificate that cannot be read is the operator's to mend.
            tls = self._tls = self._load_tls()
            await self._begin(ends)
            await self._gateway.start(self.settings.node_host, self.settings.node_port, tls.for_nodes if tls else None)
            ends.push_async_callback(self._gateway.stop)
            login_key = kept_key(self.settings.state)
            application = make_application(self.backend, self.settings, self._tokens, login_key=login_key)
            self._http = HttpServer(application)
            await self._http.start(self.settings.http_host, self.settings.http_port, tls.for_clients if tls else None)
            ends.push_async_callback(self._http.stop)
            ends.callback(self.events.close)
            tokens = TokenWatch(self._tokens, self._read_tokens, self._wall_s, self._end_tokens)
            tokens.start()
            ends.callback(tokens.stop)
            ends.callback(self._disk.stop)
            await self._disk.start()
            pulse = Pulse(self.events, self._measure_pulse)
            pulse.start()
            ends.callback(pulse.stop)
            samples = SampleTimer(self.meter, self._measure, self._keep_sample, self._wall_s)
            samples.start()
            ends.callback(samples.stop)
            await self._alerts.start(self._found_at_start())
            ends.push_async_callback(self._alerts.stop)
            self._driver.begin_ticking()
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
        self._peers = Peers()
        self._driver = Driver(
            self._core,
            self._store,
            clock=self._clock,
            peers=self._peers,
            events=self.events,
            meter=self.meter,
            instruments=self.instruments,
            on_alarm=self._note_alarm,
        )
        ends.push_async_callback(self._driver.stop)
        self._door = Door(
            needs_token=lambda: self._tokens.has_tokens,
            check_token=self._check_node_token,
            admission=Admission(settings.admissions_per_s),
            clock=self._clock,
            connections_max=settings.connections_max,
            connections_per_address_max=settings.connections_per_address_max,
        )
        silent_after_s = SILENT_HEARTBEATS * settings.heartbeat_s
        self._gateway = Gateway(self._driver, self._peers, self._door, silent_after_s=silent_after_s)
        self._alerts = self._make_alerts()
        self.backend = self._make_backend()
        self._inherited = await self._driver.start(self.hub_id)

    def _make_backend(self) -> Backend:
        return Backend(
            hub_id=self.hub_id,
            version=hub_version(),
            started_at=self.started_at,
            core=self._core,
            driver=self._driver,
            reader=self._reader,
            door=self._door,
            gateway=self._gateway,
            peers=self._peers,
            events=self.events,
            alerts=self._alerts,
            disk=self._disk,
            tls=self._tls,
            meter=self.meter,
            instruments=self.instruments,
            clock=self._clock,
        )

    def _make_alerts(self) -> AlertWatch:
        """Make the watch for alerts. Raises SettingsError: a channel names what is not there."""
        settings = self.settings
        files = tuple(path for path in (settings.tls_cert, settings.client_ca) if path is not None)
        return AlertWatch(
            ObservedHub(
                core=self._core,
                driver=self._driver,
                reader=self._reader,
                meter=self.meter,
                disk=self._disk,
                state=settings.state,
                clock=self._clock,
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

    def health(self) -> Health:
        """Say how the hub is, once it has started."""
        return self.backend.health()

    async def stop(self) -> None:
        """Stop pushing, tell the nodes, commit and ack what still comes, close with 1012; twice is harmless."""
        ends, self._ends = self._ends, None
        if ends is None:
            return
        async with ends:
            self._door.close()
            await self._driver.wind_down()

    # --- what goes on while it runs ---------------------------------------------------------------------------------

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

    async def _read_tokens(self) -> list[TokenRow]:
        return await self._reader.read(lambda store: store.tokens())

    def _end_tokens(self, ended: frozenset[str]) -> None:
        """End what was opened with tokens that are good no more."""
        self._peers.close_where(
            lambda grant: grant is not None and grant.token_id in ended,
            CloseCode.UNAUTHORIZED,
            "the token was revoked or ran out",
        )
        self.events.end_streams(ended)

    def _note_alarm(self, alarm: Alarm) -> None:
        self._alerts.note_alarm(alarm.kind, alarm.node_id, alarm.message)

    def _wall_s(self) -> float:
        return self._clock().wall_s

    async def _measure(self) -> StoreStats:
        return await self._reader.read(lambda store: store.stats())

    def _keep_sample(self, sample: Sample) -> bool:
        if self._driver.is_stopping or self._core.degraded is not None:
            return False
        self._driver.writer.put(NoteSample(sample=sample), Ticket())
        return True

    async def _measure_pulse(self) -> bytes:
        counted = await self._measure()
        wall_s = self._clock().wall_s
        return _encode(PulseObject(at=wall_s, kind=PULSE, stats=stats_answer(counted, self.backend.health(), wall_s)))
