"""One moment of a hub, as a scrape shows it: what it counts anyway, gathered on the event loop in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hub.decisions.meter import Histogram
from hub.decisions.sessions import Fleet
from hub.disk import DiskSpace
from hub.store.commit_meter import CommitMeter
from hub.store.stats import StoreStats


class Gauges(Struct, frozen=True, kw_only=True):
    """How many there are of what comes and goes, beside the fleet."""

    connections: int = 0
    streams: int = 0
    waiting_requests: int = 0
    waiting_calls: int = 0
    waiting_operations: int = 0
    waiting_result_bytes: int = 0
    connections_unread: int = 0
    alerts_firing: int = 0
    alerts_critical: int = 0


class Counts(Struct, frozen=True, kw_only=True):
    """What only grows. ``core`` and ``gateway``: by name, as `hub.decisions.core` and `hub.door` count.
    ``events``: committed ones by kind, and ``submitted``. ``requests``: by method, route and status.
    """

    core: Mapping[str, int] = {}
    gateway: Mapping[str, int] = {}
    events: Mapping[str, int] = {}
    requests: Mapping[tuple[str, str, int], int] = {}
    messages_received: int = 0
    messages_sent: int = 0


class ChannelReading(Struct, frozen=True, kw_only=True):
    """A channel for alerts: how many messages wait, and how many tries in a row failed."""

    name: str
    waiting: int
    failures: int


class Reading(Struct, frozen=True, kw_only=True):
    """Everything that a scrape shows. ``stats`` is None where the store gave none, ``disk`` where the disk did not.

    ``failures``: attempts that failed by task name, with the names of ``runs``. ``certificate_expires_at``: of the
    certificate that the ports serve, None without TLS.

    Histograms and the commits' meter are the live ones: they only grow, and are read where the text is made.
    """

    at: float
    hub_id: str
    version: str
    started_at: float
    not_ready: int
    degraded: bool
    suspicious: bool
    stats: StoreStats | None
    disk: DiskSpace | None
    fleet: Fleet
    gauges: Gauges
    counts: Counts
    waits: Mapping[str, Histogram]
    runs: Mapping[str, Histogram]
    failures: Mapping[str, int] = {}
    channels: Sequence[ChannelReading] = ()
    certificate_expires_at: float | None = None
    reconnects: Histogram
    loop_lags: Histogram
    commits: CommitMeter
