"""Every metric in one table: what is exported and what docs/reference/metrics.md describes are made from it.

No label names a task, a node or a client: the number of series is bounded by what the operator defines (task names, of
which `NAMES_MAX` are told apart) and by the hub's own tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from hub.departures import DEPARTURES
from hub.lifecycle import TaskState
from hub.meter import OTHER, Histogram, merged
from hub.metrics.metric import QUICK_BOUNDS_S, Distribution, Labels, Metric, added_up, distribution
from hub.metrics.reading import Reading
from hub.store.commit_meter import ROWS_BOUNDS

Samples: TypeAlias = Iterable[tuple[Labels, float | Distribution]]

# Names with series of their own, the first that come; the others share one. A name is 26 lines of up to 200 bytes.
NAMES_MAX: Final = 100

_VERDICTS: Final = ("committed", "superseded", "quarantined", "foreign")


def _one(read: Callable[[Reading], float]) -> Callable[[Reading], Samples]:
    """Make a metric of one value."""
    return lambda reading: [((), read(reading))]


def _by_prefix(
    counts: Callable[[Reading], Mapping[str, int]], prefix: str, *known: str
) -> Callable[[Reading], Samples]:
    """Make one label of what follows the prefix; ``known`` values are there from the start, at 0."""

    def read(reading: Reading) -> Samples:
        found = {name.removeprefix(prefix): n for name, n in counts(reading).items() if name.startswith(prefix)}
        return [((name,), count) for name, count in (dict.fromkeys(known, 0) | found).items()]

    return read


def _core(reading: Reading) -> Mapping[str, int]:
    return reading.counts.core


def _gateway(reading: Reading) -> Mapping[str, int]:
    return reading.counts.gateway


def _events(reading: Reading) -> Mapping[str, int]:
    return reading.counts.events


def _tasks(reading: Reading) -> Samples:
    return [] if reading.stats is None else [((state,), count) for state, count in reading.stats.tasks.items()]


def _nodes(reading: Reading) -> Samples:
    return [] if reading.stats is None else [((state,), count) for state, count in reading.stats.nodes.items()]


def _oldest_age(reading: Reading) -> Samples:
    if reading.stats is None:
        return []
    oldest_at = reading.stats.oldest_queued_at
    return [((), 0.0 if oldest_at is None else max(0.0, reading.at - oldest_at))]


def _by_name(histograms: Mapping[str, Histogram]) -> Samples:
    own = dict(list(histograms.items())[:NAMES_MAX])
    rest = merged({name: histogram for name, histogram in histograms.items() if name not in own})
    if OTHER in own:
        rest.merge(own.pop(OTHER))
    shown = [((name,), distribution(histogram)) for name, histogram in own.items()]
    return [*shown, ((OTHER,), distribution(rest))] if rest.count else shown


def _failures(reading: Reading) -> Samples:
    """Count by the names that have series of their own in `task_run_seconds`."""
    own = [name for name in list(reading.runs)[:NAMES_MAX] if name != OTHER]
    shown: list[tuple[Labels, float]] = [((name,), reading.failures.get(name, 0)) for name in own]
    if len(own) < len(reading.runs):
        shown.append(((OTHER,), sum(n for name, n in reading.failures.items() if name not in own)))
    return shown


def _registrations(reading: Reading) -> Samples:
    counts = reading.counts.core
    names = {"registered": "registrations", "resumed": "resumptions", "unknown_session": "unknown_sessions"}
    return [((kind,), counts.get(name, 0)) for kind, name in names.items()]


def _requests(reading: Reading) -> Samples:
    return [((method, route, str(status)), n) for (method, route, status), n in reading.counts.requests.items()]


def _alerts(reading: Reading) -> Samples:
    gauges = reading.gauges
    return [(("critical",), gauges.alerts_critical), (("warning",), gauges.alerts_firing - gauges.alerts_critical)]


def _certificate(reading: Reading) -> Samples:
    at = reading.certificate_expires_at
    return [] if at is None else [((), at)]


def _disk(field: str) -> Callable[[Reading], Samples]:
    return lambda reading: [] if reading.disk is None else [((), getattr(reading.disk, field))]


_STATES: Final = tuple(state.value for state in TaskState)

OF_THE_HUB: Final = (
    Metric(
        name="hub_info",
        kind="gauge",
        about="Always 1; which hub this is, and its version.",
        labels=("hub_id", "version"),
        read=lambda reading: [((reading.hub_id, reading.version), 1)],
    ),
    Metric(
        name="hub_start_time_seconds",
        kind="gauge",
        about="When this hub started, in seconds since 1970.",
        read=_one(lambda reading: reading.started_at),
    ),
    Metric(
        name="hub_ready",
        kind="gauge",
        about="1 if `/readyz` says that the hub is ready, else 0.",
        read=_one(lambda reading: int(not reading.not_ready)),
    ),
    Metric(
        name="hub_degraded",
        kind="gauge",
        about="1 while the store takes no commits, else 0.",
        read=_one(lambda reading: int(reading.degraded)),
    ),
    Metric(
        name="hub_suspects_itself",
        kind="gauge",
        about="1 while so many nodes are silent at once that no lease is ended, else 0.",
        read=_one(lambda reading: int(reading.suspicious)),
    ),
    Metric(
        name="event_loop_lag_seconds",
        kind="histogram",
        about="How much later than asked for the event loop came to its tick, twice a second.",
        read=lambda reading: [((), distribution(reading.loop_lags, QUICK_BOUNDS_S))],
    ),
    Metric(
        name="alerts_firing",
        kind="gauge",
        about="Alerts of the hub's own that fire.",
        labels=("severity",),
        read=_alerts,
    ),
    Metric(
        name="alert_messages_waiting",
        kind="gauge",
        about="Messages about alerts that a channel has not taken yet.",
        labels=("channel",),
        read=lambda reading: [((channel.name,), channel.waiting) for channel in reading.channels],
    ),
    Metric(
        name="alert_channel_failures",
        kind="gauge",
        about="Tries in a row that a channel for alerts did not take.",
        labels=("channel",),
        read=lambda reading: [((channel.name,), channel.failures) for channel in reading.channels],
    ),
    Metric(
        name="tls_certificate_expires_seconds",
        kind="gauge",
        about="When the certificate that the ports serve runs out, in seconds since 1970; missing without TLS.",
        read=_certificate,
    ),
)

OF_TASKS: Final = (
    Metric(
        name="tasks",
        kind="gauge",
        about="Tasks in the store; `queued` is the depth of the queue.",
        labels=("state",),
        read=_tasks,
    ),
    Metric(
        name="oldest_queued_age_seconds",
        kind="gauge",
        about="How long ago the task that has been queued longest was submitted; 0 if none is.",
        read=_oldest_age,
    ),
    Metric(
        name="tasks_submitted",
        kind="counter",
        about="Tasks that were accepted.",
        read=_one(lambda reading: reading.counts.events.get("submitted", 0)),
    ),
    Metric(
        name="task_moves",
        kind="counter",
        about="Moves of tasks, by the state that they came to; `running` counts attempts.",
        labels=("state",),
        read=_by_prefix(_events, "task.", *_STATES),
    ),
    Metric(
        name="task_wait_seconds",
        kind="histogram",
        about="From submit to the first assignment, of tasks that were not told to wait.",
        labels=("name",),
        read=lambda reading: _by_name(reading.waits),
    ),
    Metric(
        name="task_run_seconds",
        kind="histogram",
        about="How long handlers ran, by the results that were committed.",
        labels=("name",),
        read=lambda reading: _by_name(reading.runs),
    ),
    Metric(
        name="attempts_failed",
        kind="counter",
        about="Attempts that failed, tried again or not; `moorline_task_run_seconds_count` counts all attempts.",
        labels=("name",),
        read=_failures,
    ),
    Metric(
        name="results",
        kind="counter",
        about="Results of nodes. `superseded`: another outcome was first; `quarantined`: of a task that the store does "
        "not know; `foreign`: of another node's attempt.",
        labels=("verdict",),
        read=_by_prefix(_core, "results_", *_VERDICTS),
    ),
    Metric(
        name="leases_expired",
        kind="counter",
        about="Attempts that were freed because nothing was heard of their node for a lease.",
        read=_one(lambda reading: reading.counts.core.get("leases_expired", 0)),
    ),
    Metric(
        name="log_lines_dropped",
        kind="counter",
        about="Log lines of handlers that nobody had room for.",
        read=_one(lambda reading: reading.counts.core.get("log_lines_dropped", 0)),
    ),
)

OF_NODES: Final = (
    Metric(
        name="nodes",
        kind="gauge",
        about="Nodes in the store.",
        labels=("state",),
        read=_nodes,
    ),
    Metric(
        name="sessions",
        kind="gauge",
        about="Sessions that have a connection and are reconciled.",
        read=_one(lambda reading: reading.fleet.sessions),
    ),
    Metric(
        name="node_connections",
        kind="gauge",
        about="Open sockets of nodes, registered or not.",
        read=_one(lambda reading: reading.gauges.connections),
    ),
    Metric(
        name="slots",
        kind="gauge",
        about="Slots of all live sessions.",
        read=_one(lambda reading: reading.fleet.slots),
    ),
    Metric(
        name="slots_in_use",
        kind="gauge",
        about="Slots that hold an attempt.",
        read=_one(lambda reading: reading.fleet.slots_in_use),
    ),
    Metric(
        name="outbox_results",
        kind="gauge",
        about="Results in the outboxes of live nodes, as their last heartbeats say.",
        read=_one(lambda reading: reading.fleet.outbox),
    ),
    Metric(
        name="registrations",
        kind="counter",
        about="Answers to `register` and `resume`. `unknown_session`: it must register again.",
        labels=("kind",),
        read=_registrations,
    ),
    Metric(
        name="registrations_refused",
        kind="counter",
        about="Registrations and resumptions that were refused, by code.",
        labels=("code",),
        read=_by_prefix(_core, "refused_", "instance_conflict", "not_allowed", "degraded", "stopping", "internal"),
    ),
    Metric(
        name="handshakes_refused",
        kind="counter",
        about="Connections that were turned away at the door. `admission`: many come at once; `connections` and "
        "`address`: as many as may be are open.",
        labels=("reason",),
        read=_by_prefix(_gateway, "", "admission", "connections", "address", "token", "role", "version", "stopping"),
    ),
    Metric(
        name="disconnects",
        kind="counter",
        about="Sessions that lost their connection.",
        labels=("reason",),
        read=_by_prefix(_core, "disconnects_", *DEPARTURES),
    ),
    Metric(
        name="reconnect_seconds",
        kind="histogram",
        about="From losing a node to its return.",
        read=lambda reading: [((), distribution(reading.reconnects))],
    ),
    Metric(
        name="node_messages",
        kind="counter",
        about="WebSocket messages; each carries as many frames as there were to say.",
        labels=("direction",),
        read=lambda reading: [
            (("received",), reading.counts.messages_received),
            (("sent",), reading.counts.messages_sent),
        ],
    ),
)

OF_THE_STORE: Final = (
    Metric(
        name="store_up",
        kind="gauge",
        about="1 if the store answered this scrape, else 0: then `moorline_tasks` and `moorline_nodes` are missing.",
        read=_one(lambda reading: int(reading.stats is not None)),
    ),
    Metric(
        name="store_commit_seconds",
        kind="histogram",
        about="How long a commit took, the fsync included.",
        read=lambda reading: [((), distribution(reading.commits.seconds, QUICK_BOUNDS_S))],
    ),
    Metric(
        name="store_commit_rows",
        kind="histogram",
        about="Tasks, results and other operations in one commit.",
        read=lambda reading: [((), added_up(ROWS_BOUNDS, reading.commits.rows_buckets, reading.commits.rows))],
    ),
    Metric(
        name="store_operations",
        kind="counter",
        about="Operations that were committed; several share a commit.",
        read=_one(lambda reading: reading.commits.operations),
    ),
    Metric(
        name="store_operations_waiting",
        kind="gauge",
        about="Operations that are not committed yet.",
        read=_one(lambda reading: reading.gauges.waiting_operations),
    ),
    Metric(
        name="store_commit_failures",
        kind="counter",
        about="Commits that the store did not take; they are tried again.",
        read=_one(lambda reading: reading.commits.failures),
    ),
    Metric(
        name="disk_free_bytes",
        kind="gauge",
        about="Room on the file system of the state folder.",
        read=_disk("free_bytes"),
    ),
    Metric(
        name="disk_size_bytes",
        kind="gauge",
        about="Size of the file system of the state folder.",
        read=_disk("total_bytes"),
    ),
    Metric(
        name="database_bytes",
        kind="gauge",
        about="Size of the database, its log included.",
        read=_disk("database_bytes"),
    ),
)

OF_CLIENTS: Final = (
    Metric(
        name="http_requests",
        kind="counter",
        about="Answered requests. `route` is as the API's reference writes it, or `other`.",
        labels=("method", "route", "status"),
        read=_requests,
    ),
    Metric(
        name="event_streams",
        kind="gauge",
        about="Open event streams.",
        read=_one(lambda reading: reading.gauges.streams),
    ),
    Metric(
        name="waiting_requests",
        kind="gauge",
        about="Requests that wait for a task's outcome.",
        read=_one(lambda reading: reading.gauges.waiting_requests),
    ),
    Metric(
        name="waiting_calls",
        kind="gauge",
        about="Requests that wait for their commit.",
        read=_one(lambda reading: reading.gauges.waiting_calls),
    ),
)

SECTIONS: Final = {
    "Tasks": OF_TASKS,
    "Nodes and sessions": OF_NODES,
    "The store": OF_THE_STORE,
    "Clients": OF_CLIENTS,
    "The hub": OF_THE_HUB,
}
"""All metrics by topic, as the reference shows them."""

METRICS: Final = tuple(metric for section in SECTIONS.values() for metric in section)
"""All metrics."""
