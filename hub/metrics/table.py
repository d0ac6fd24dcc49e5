"""Every metric in one table: what is exported and what docs/reference/metrics.md describes are made from it.

No label names a task, a node or a client: the number of series is bounded by what the operator defines (task names, of
which `hub.metrics.samples.NAMES_MAX` are told apart, and channels) and by the hub's own tables.
"""

from __future__ import annotations

from typing import Final

from hub.decisions.departures import DEPARTURES
from hub.decisions.lifecycle import TaskState
from hub.metrics.metric import QUICK_BOUNDS_S, Metric, added_up, distribution
from hub.metrics.samples import (
    alerts_by_severity,
    by_name,
    by_prefix,
    certificate,
    core_counts,
    event_counts,
    failures,
    gateway_counts,
    nodes_by_state,
    of_disk,
    oldest_age,
    one,
    registrations,
    requests,
    tasks_by_state,
)
from hub.store.commit_meter import ROWS_BOUNDS

_VERDICTS: Final = ("committed", "superseded", "quarantined", "foreign")

_REFUSALS: Final = ("admission", "connections", "address", "token", "role", "version", "stopping")
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
        read=one(lambda reading: reading.started_at),
    ),
    Metric(
        name="hub_ready",
        kind="gauge",
        about="1 if `/readyz` says that the hub is ready, else 0.",
        read=one(lambda reading: int(not reading.not_ready)),
    ),
    Metric(
        name="hub_degraded",
        kind="gauge",
        about="1 while the store takes no commits, else 0.",
        read=one(lambda reading: int(reading.degraded)),
    ),
    Metric(
        name="hub_suspects_itself",
        kind="gauge",
        about="1 while so many nodes are silent at once that no lease is ended, else 0.",
        read=one(lambda reading: int(reading.suspicious)),
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
        read=alerts_by_severity,
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
        read=certificate,
    ),
)

OF_TASKS: Final = (
    Metric(
        name="tasks",
        kind="gauge",
        about="Tasks in the store; `queued` is the depth of the queue.",
        labels=("state",),
        read=tasks_by_state,
    ),
    Metric(
        name="oldest_queued_age_seconds",
        kind="gauge",
        about="How long ago the task that has been queued longest was submitted; 0 if none is.",
        read=oldest_age,
    ),
    Metric(
        name="tasks_submitted",
        kind="counter",
        about="Tasks that were accepted.",
        read=one(lambda reading: reading.counts.events.get("submitted", 0)),
    ),
    Metric(
        name="task_moves",
        kind="counter",
        about="Moves of tasks, by the state that they came to; `running` counts attempts.",
        labels=("state",),
        read=by_prefix(event_counts, "task.", *_STATES),
    ),
    Metric(
        name="task_wait_seconds",
        kind="histogram",
        about="From submit to the first assignment, of tasks that were not told to wait.",
        labels=("name",),
        read=lambda reading: by_name(reading.waits),
    ),
    Metric(
        name="task_run_seconds",
        kind="histogram",
        about="How long handlers ran, by the results that were committed.",
        labels=("name",),
        read=lambda reading: by_name(reading.runs),
    ),
    Metric(
        name="attempts_failed",
        kind="counter",
        about="Attempts that failed, tried again or not; `moorline_task_run_seconds_count` counts all attempts.",
        labels=("name",),
        read=failures,
    ),
    Metric(
        name="results",
        kind="counter",
        about="Results of nodes. `superseded`: another outcome was first; `quarantined`: of a task that the store does "
        "not know; `foreign`: of another node's attempt.",
        labels=("verdict",),
        read=by_prefix(core_counts, "results_", *_VERDICTS),
    ),
    Metric(
        name="leases_expired",
        kind="counter",
        about="Attempts that were freed because nothing was heard of their node for a lease.",
        read=one(lambda reading: reading.counts.core.get("leases_expired", 0)),
    ),
    Metric(
        name="log_lines_dropped",
        kind="counter",
        about="Log lines of handlers that nobody had room for.",
        read=one(lambda reading: reading.counts.core.get("log_lines_dropped", 0)),
    ),
)

OF_NODES: Final = (
    Metric(
        name="nodes",
        kind="gauge",
        about="Nodes in the store.",
        labels=("state",),
        read=nodes_by_state,
    ),
    Metric(
        name="sessions",
        kind="gauge",
        about="Sessions that have a connection and are reconciled.",
        read=one(lambda reading: reading.fleet.sessions),
    ),
    Metric(
        name="node_connections",
        kind="gauge",
        about="Open sockets of nodes, registered or not.",
        read=one(lambda reading: reading.gauges.connections),
    ),
    Metric(
        name="slots",
        kind="gauge",
        about="Slots of all live sessions.",
        read=one(lambda reading: reading.fleet.slots),
    ),
    Metric(
        name="slots_in_use",
        kind="gauge",
        about="Slots that hold an attempt.",
        read=one(lambda reading: reading.fleet.slots_in_use),
    ),
    Metric(
        name="outbox_results",
        kind="gauge",
        about="Results in the outboxes of live nodes, as their last heartbeats say.",
        read=one(lambda reading: reading.fleet.outbox),
    ),
    Metric(
        name="registrations",
        kind="counter",
        about="Answers to `register` and `resume`. `unknown_session`: it must register again.",
        labels=("kind",),
        read=registrations,
    ),
    Metric(
        name="registrations_refused",
        kind="counter",
        about="Registrations and resumptions that were refused, by code.",
        labels=("code",),
        read=by_prefix(core_counts, "refused_", "instance_conflict", "not_allowed", "degraded", "stopping", "internal"),
    ),
    Metric(
        name="handshakes_refused",
        kind="counter",
        about="Connections that were turned away at the door. `admission`: many come at once; `connections` and "
        "`address`: as many as may be are open.",
        labels=("reason",),
        read=by_prefix(
            gateway_counts, "", "admission", "connections", "address", "token", "role", "version", "stopping"
        ),
    ),
    Metric(
        name="disconnects",
        kind="counter",
        about="Sessions that lost their connection.",
        labels=("reason",),
        read=by_prefix(core_counts, "disconnects_", *DEPARTURES),
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
        read=one(lambda reading: int(reading.stats is not None)),
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
        read=one(lambda reading: reading.commits.operations),
    ),
    Metric(
        name="store_operations_waiting",
        kind="gauge",
        about="Operations that are not committed yet.",
        read=one(lambda reading: reading.gauges.waiting_operations),
    ),
    Metric(
        name="store_results_waiting_bytes",
        kind="gauge",
        about="What results that are not committed yet take, roughly.",
        read=one(lambda reading: reading.gauges.waiting_result_bytes),
    ),
    Metric(
        name="connections_unread",
        kind="gauge",
        about="Connections of nodes that are not read until there is room for their results.",
        read=one(lambda reading: reading.gauges.connections_unread),
    ),
    Metric(
        name="store_commit_failures",
        kind="counter",
        about="Commits that the store did not take; they are tried again.",
        read=one(lambda reading: reading.commits.failures),
    ),
    Metric(
        name="disk_free_bytes",
        kind="gauge",
        about="Room on the file system of the state folder.",
        read=of_disk("free_bytes"),
    ),
    Metric(
        name="disk_size_bytes",
        kind="gauge",
        about="Size of the file system of the state folder.",
        read=of_disk("total_bytes"),
    ),
    Metric(
        name="database_bytes",
        kind="gauge",
        about="Size of the database, its log included.",
        read=of_disk("database_bytes"),
    ),
)

OF_CLIENTS: Final = (
    Metric(
        name="http_requests",
        kind="counter",
        about="Answered requests. `route` is as the API's reference writes it, or `other`.",
        labels=("method", "route", "status"),
        read=requests,
    ),
    Metric(
        name="event_streams",
        kind="gauge",
        about="Open event streams.",
        read=one(lambda reading: reading.gauges.streams),
    ),
    Metric(
        name="waiting_requests",
        kind="gauge",
        about="Requests that wait for a task's outcome.",
        read=one(lambda reading: reading.gauges.waiting_requests),
    ),
    Metric(
        name="waiting_calls",
        kind="gauge",
        about="Requests that wait for their commit.",
        read=one(lambda reading: reading.gauges.waiting_calls),
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
