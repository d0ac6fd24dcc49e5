"""What the API shows of the hub itself: who it is, its counts, and whether all is well."""

from __future__ import annotations

from msgspec import Struct

from hub.decisions.meter import Rates
from hub.decisions.verdict import Verdict, of_hub, verdict
from hub.http.backend import AlertCounts, Health
from hub.store.stats import StoreStats


class HubObject(Struct, frozen=True, kw_only=True):
    """The hub itself. ``degraded`` says why its store takes no commits; null: it takes them."""

    id: str
    version: str
    started_at: float
    uptime_s: float
    degraded: str | None


class StatsAnswer(Struct, frozen=True, kw_only=True):
    """Counts: tasks and nodes by state, live sessions, the nodes' totals added up, the newest event, what happens per
    second, how many alerts fire, and whether all is well. ``oldest_queued_at``: when the task that waits longest was
    submitted.
    """

    hub: HubObject
    verdict: Verdict
    tasks: dict[str, int]
    nodes: dict[str, int]
    sessions: int
    totals: dict[str, float]
    last_event_id: int
    oldest_queued_at: float | None
    rates: Rates
    alerts: AlertCounts


class PulseObject(Struct, frozen=True, kw_only=True):
    """The ``data`` of `hub.pulse`: the counts once a second, for streams that name this kind. Carries no ``id``."""

    at: float
    kind: str
    stats: StatsAnswer


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether the hub can serve, and if not, why."""

    ready: bool
    reasons: list[str]


def stats_answer(stats: StoreStats, health: Health, wall_s: float) -> StatsAnswer:
    """Show the hub's counts."""
    hub = HubObject(
        id=health.hub_id,
        version=health.version,
        started_at=health.started_at,
        uptime_s=max(0.0, wall_s - health.started_at),
        degraded=health.degraded,
    )
    own = of_hub(
        health.degraded,
        stopping=health.stopping,
        suspicious=health.suspicious,
        firing=health.alerts.firing,
        critical=health.alerts.critical,
    )
    return StatsAnswer(
        hub=hub,
        verdict=verdict(stats, own, wall_s),
        tasks=stats.tasks,
        nodes=stats.nodes,
        sessions=health.sessions,
        totals=stats.totals,
        last_event_id=stats.last_event_id,
        oldest_queued_at=stats.oldest_queued_at,
        rates=health.rates,
        alerts=health.alerts,
    )
