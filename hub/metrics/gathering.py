"""Take a reading: everything in one go, on the event loop, so that its numbers fit together."""

from __future__ import annotations

from collections.abc import Mapping

from hub.alerts.watch import AlertWatch
from hub.decisions.core import HubCore
from hub.decisions.meter import Meter
from hub.disk import DiskSpace
from hub.door import Door
from hub.events.feed import EventFeed
from hub.gateway import Gateway
from hub.http.backend import Health
from hub.http.readiness import reasons_not_ready
from hub.metrics.instruments import Instruments
from hub.metrics.reading import ChannelReading, Counts, Gauges, Reading
from hub.peers import Peers
from hub.store.stats import StoreStats
from hub.store.writer import StoreWriter


def gather(
    at: float,
    *,
    health: Health,
    stats: StoreStats | None,
    disk: DiskSpace | None,
    core: HubCore,
    door: Door,
    gateway: Gateway,
    peers: Peers,
    writer: StoreWriter,
    feed: EventFeed,
    meter: Meter,
    instruments: Instruments,
    alerts: AlertWatch,
    certificate_expires_at: float | None,
    requests: Mapping[tuple[str, str, int], int],
    calls: int,
) -> Reading:
    """Gather a reading. What may grow while the text is made, and has no fixed size, is copied."""
    return Reading(
        at=at,
        hub_id=health.hub_id,
        version=health.version,
        started_at=health.started_at,
        not_ready=len(reasons_not_ready(health)),
        degraded=health.degraded is not None,
        suspicious=health.suspicious,
        stats=stats,
        disk=disk,
        fleet=core.fleet(),
        gauges=Gauges(
            connections=len(peers),
            streams=feed.subscriptions,
            waiting_requests=feed.watches,
            waiting_calls=calls,
            waiting_operations=writer.pending,
            waiting_result_bytes=core.results_waiting_bytes,
            connections_unread=core.connections_unread,
            alerts_firing=health.alerts.firing,
            alerts_critical=health.alerts.critical,
        ),
        counts=Counts(
            core=dict(core.counts),
            gateway=dict(door.refusals),
            events=dict(meter.counts),
            requests=dict(requests),
            messages_received=gateway.messages_received,
            messages_sent=peers.messages_sent,
        ),
        waits=dict(meter.waits),
        runs=dict(meter.runs),
        failures=dict(meter.failures),
        channels=[
            ChannelReading(name=channel.name, waiting=state.waiting, failures=state.failures)
            for channel, state in alerts.channels()
        ],
        certificate_expires_at=certificate_expires_at,
        reconnects=instruments.reconnects.times,
        loop_lags=instruments.loop_lags,
        commits=writer.meter,
    )
