"""What the API shows: tasks, nodes and counts as clients see them. Payloads and values stay bytes."""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType

from hub.events import ErrorObject, error_object
from hub.http.backend import AlertCounts, Health
from hub.lifecycle import TaskState
from hub.meter import Rates
from hub.sessions import LiveNode
from hub.store.logs import StoredLogs
from hub.store.node_views import NodeCell, NodeView
from hub.store.stats import StoreStats
from hub.store.submissions import Accepted
from hub.store.task_views import TaskView
from hub.store.tasks import TaskOptions
from hub.verdict import Verdict, of_hub, verdict
from protocol.frames import Progress

# --- tasks ----------------------------------------------------------------------------------------------------------


class AcceptedTask(Struct, frozen=True, kw_only=True, gc=False):
    """A submitted task. ``existing``: a task with this id or idempotency key was there before; this is that one."""

    id: str
    state: TaskState
    existing: bool


class AcceptedBatch(Struct, frozen=True, kw_only=True):
    """The tasks of a batch, in its order."""

    tasks: list[AcceptedTask]


class AcceptedMember(Struct, frozen=True, kw_only=True):
    """A broadcast's task for one node."""

    id: str
    node: str
    state: TaskState
    existing: bool


class BroadcastAnswer(Struct, frozen=True, kw_only=True):
    """A broadcast: its group, and one task for each node that matched."""

    group: str
    tasks: list[AcceptedMember]


class ProgressObject(Struct, frozen=True, kw_only=True):
    """How far the newest attempt is, as its handler says."""

    done: float
    total: float | None
    message: str


class TaskObject(Struct, frozen=True, kw_only=True):
    """A task. ``*_at`` are seconds since 1970, ``*_s`` durations. ``options`` holds what differs from the defaults.
    ``payload`` and ``value`` stand there only where one task was asked for, ``value`` once it has succeeded.
    """

    id: str
    name: str
    state: TaskState
    priority: int
    attempt: int
    failures: int
    losses: int
    node: str | None
    target: str | None
    requires: dict[str, str]
    labels: dict[str, str]
    origin: str
    group: str
    submitted_at: float
    due_at: float | None
    deadline_at: float | None
    started_at: float | None
    finished_at: float | None
    run_s: float | None
    wait_s: float | None
    progress: ProgressObject | None
    error: ErrorObject | None
    options: TaskOptions
    payload: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET


class TaskPage(Struct, frozen=True, kw_only=True):
    """Tasks, newest first. ``cursor`` is null after the last page; a page may be short, or empty, and have one."""

    tasks: list[TaskObject]
    cursor: str | None


class LogObject(Struct, frozen=True, kw_only=True):
    """One line that a handler logged."""

    at: float
    attempt: int
    level: str
    message: str


class LogAnswer(Struct, frozen=True, kw_only=True):
    """A task's lines, oldest first; ``dropped``: how many did not fit."""

    lines: list[LogObject]
    dropped: int


def accepted_task(accepted: Accepted) -> AcceptedTask:
    """Show a submitted task."""
    return AcceptedTask(id=accepted.task_id, state=accepted.state, existing=accepted.existing)


def task_object(view: TaskView, progress: Progress | None) -> TaskObject:
    """Show a stored task."""
    return TaskObject(
        id=view.id,
        name=view.name,
        state=view.state,
        priority=view.priority,
        attempt=view.attempt,
        failures=view.failures,
        losses=view.losses,
        node=view.node,
        target=view.target,
        requires=view.requires,
        labels=view.labels,
        origin=view.origin,
        group=view.group,
        submitted_at=view.submitted_at,
        due_at=view.due_at,
        deadline_at=view.deadline_at,
        started_at=view.started_at,
        finished_at=view.finished_at,
        run_s=view.run_s,
        wait_s=view.wait_s,
        progress=_progress_object(view, progress),
        error=None if view.error is None else error_object(view.error),
        options=view.options,
        payload=UNSET if view.payload is None else Raw(view.payload),
        value=UNSET if view.value is None else Raw(view.value),
    )


def _progress_object(view: TaskView, progress: Progress | None) -> ProgressObject | None:
    if progress is None or progress.attempt != view.attempt or view.state is not TaskState.RUNNING:
        return None
    return ProgressObject(done=progress.done, total=progress.total, message=progress.message)


def log_answer(stored: StoredLogs) -> LogAnswer:
    """Show a task's log lines."""
    lines = [
        LogObject(at=line.at, attempt=line.attempt, level=line.level, message=line.message) for line in stored.lines
    ]
    return LogAnswer(lines=lines, dropped=stored.dropped)


# --- nodes ----------------------------------------------------------------------------------------------------------


class Disconnect(Struct, frozen=True, kw_only=True):
    """When and why a node's connection ended."""

    at: float
    reason: str


class NodeTotals(Struct, frozen=True, kw_only=True):
    """What a node has done since it was first seen. Only grows, whatever restarts."""

    succeeded: int
    failed: int
    cancelled: int
    lost: int
    run_s: float


class NodeObject(Struct, frozen=True, kw_only=True):
    """A node. ``round_trip_ms``, ``load`` (1 minute) and ``outbox`` (results on their way) are known while it is
    connected.
    """

    id: str
    name: str
    state: str
    cordoned: bool
    labels: dict[str, str]
    slots: int
    slots_in_use: int
    handlers: list[str]
    version: str
    first_seen_at: float
    last_seen_at: float
    connected_at: float | None
    connects: int
    disconnects: int
    last_disconnect: Disconnect | None
    totals: NodeTotals
    session_id: str | None
    round_trip_ms: float | None
    load: float | None
    outbox: int | None


class NodePage(Struct, frozen=True, kw_only=True):
    """Nodes in the order that was asked for. ``total``: how many match; ``cursor`` is null after the last page."""

    nodes: list[NodeObject]
    total: int
    cursor: str | None


class MapAnswer(Struct, frozen=True, kw_only=True):
    """All nodes by id; each is ``[id, state, slots, slots in use, is cordoned]``."""

    nodes: list[NodeCell]


def node_object(view: NodeView, live: LiveNode | None) -> NodeObject:
    """Show a stored node, with what only its live session knows."""
    left = None
    if view.last_disconnect_at is not None:
        left = Disconnect(at=view.last_disconnect_at, reason=view.last_disconnect_reason)
    return NodeObject(
        id=view.id,
        name=view.name,
        state=view.state,
        cordoned=view.cordoned,
        labels=view.labels,
        slots=view.slots,
        slots_in_use=view.slots_in_use if live is None else live.slots_in_use,
        handlers=view.handlers,
        version=view.version,
        first_seen_at=view.first_seen_at,
        last_seen_at=view.last_seen_at,
        connected_at=view.connected_at,
        connects=view.connects,
        disconnects=view.disconnects,
        last_disconnect=left,
        totals=NodeTotals(
            succeeded=view.succeeded,
            failed=view.failed,
            cancelled=view.cancelled,
            lost=view.lost,
            run_s=view.run_s,
        ),
        session_id=view.session_id or None,
        round_trip_ms=None if live is None else live.round_trip_ms,
        load=None if live is None else live.load,
        outbox=None if live is None else live.outbox,
    )


# --- the hub --------------------------------------------------------------------------------------------------------


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
