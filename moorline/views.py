"""What a hub says about tasks, nodes and itself. Fields that a later hub adds are ignored.

Times (``*_at``) are seconds since 1970, UTC. ``msgspec.to_builtins(view)`` gives plain dictionaries.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

FINAL_STATES: Final = frozenset({"succeeded", "failed", "cancelled", "expired", "lost"})


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt failed. ``kind`` is the stable word, see `docs/reference/protocol.md`."""

    kind: str = ""
    message: str = ""
    type: str = ""
    traceback: str = ""
    retryable: bool = False


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a running task says it is. ``total`` is None where it does not know."""

    done: float = 0.0
    total: float | None = None
    message: str = ""


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """A task as the hub has it. ``payload`` and ``value`` are there only when it was asked for alone."""

    id: str
    name: str
    state: str
    priority: int = 0
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    node: str | None = None
    target: str | None = None
    requires: dict[str, str] = {}
    labels: dict[str, str] = {}
    origin: str | None = None
    group: str | None = None
    submitted_at: float | None = None
    due_at: float | None = None
    deadline_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    run_s: float | None = None
    wait_s: float | None = None
    progress: Progress | None = None
    error: Problem | None = None
    options: dict[str, Any] = {}
    payload: Any = None
    value: Any = None

    @property
    def is_final(self) -> bool:
        """Whether it has its outcome."""
        return self.state in FINAL_STATES


class TaskPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some tasks, newest first. ``cursor``: where the next page begins; None after the last one. A page may be short,
    or empty, and have one: the hub looks at so many tasks for each.
    """

    tasks: list[TaskView]
    cursor: str | None = None


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to all tasks that met a filter. ``matched`` of them were there, ``changed`` were changed; ``more``:
    there may be more, and the same call with the ``cursor`` goes on.
    """

    matched: int
    changed: int = 0
    more: bool = False
    cursor: str | None = None


class NodeReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why one node does, or does not, run a task. ``reason`` is one of the words in `docs/reference/http-api.md`."""

    node_id: str
    reason: str
    detail: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task is where it is. ``position``: how many are before it in the queue, plus one."""

    task_id: str
    state: str
    summary: str = ""
    position: int | None = None
    nodes: list[NodeReason] = []


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a handler logged."""

    at: float
    attempt: int
    level: str
    message: str


class TaskLogs(msgspec.Struct, frozen=True, kw_only=True):
    """What the handlers of a task logged. ``dropped``: how many lines the bounds have cost."""

    lines: list[LogLine] = []
    dropped: int = 0


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """When and why a node's connection ended."""

    at: float
    reason: str = ""


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node as the hub knows it. ``totals`` only grow: tasks by outcome, and ``run_s``."""

    id: str
    state: str
    name: str = ""
    cordoned: bool = False
    labels: dict[str, str] = {}
    slots: int = 0
    slots_in_use: int | None = None
    handlers: list[str] = []
    version: str = ""
    first_seen_at: float = 0.0
    last_seen_at: float | None = None
    connected_at: float | None = None
    connects: int = 0
    disconnects: int = 0
    last_disconnect: Disconnect | None = None
    totals: dict[str, float] = {}
    session_id: str | None = None
    round_trip_ms: float | None = None
    load: float | None = None
    outbox: int | None = None


class NodePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some nodes. ``total``: how many match; ``cursor``: where the next page begins; None after the last one."""

    nodes: list[NodeView]
    total: int = 0
    cursor: str | None = None


class NodeCell(msgspec.Struct, frozen=True, array_like=True):
    """A node as a map shows it."""

    id: str
    state: str
    slots: int = 0
    slots_in_use: int = 0
    cordoned: bool = False


class HubView(msgspec.Struct, frozen=True, kw_only=True):
    """The hub itself. ``degraded`` says why it takes no commits, if so."""

    id: str
    version: str = ""
    started_at: float | None = None
    uptime_s: float | None = None
    degraded: str | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all is well: ``level`` is ``ok``, ``degraded`` or ``critical``; ``reasons`` say why, worst first."""

    level: str = "ok"
    reasons: list[str] = []


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What happened per second over the last ten seconds. ``finished`` counts every final state."""

    submitted: float = 0.0
    started: float = 0.0
    succeeded: float = 0.0
    failed: float = 0.0
    finished: float = 0.0


class AlertCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts fire, and how many of them are critical."""

    firing: int = 0
    critical: int = 0


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of now (``tasks`` and ``nodes`` by state) and ``totals`` since the store began. ``oldest_queued_at``: when
    the task that waits longest was submitted.
    """

    hub: HubView
    verdict: Verdict = Verdict()
    tasks: dict[str, int] = {}
    nodes: dict[str, int] = {}
    sessions: int = 0
    totals: dict[str, float] = {}
    last_event_id: int = 0
    oldest_queued_at: float | None = None
    rates: Rates = Rates()
    alerts: AlertCounts = AlertCounts()


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """As whom the hub knows the caller. ``role`` None: as nobody, and ``needs_login`` says that a token is needed."""

    role: str | None = None
    name: str = ""
    needs_login: bool = False


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a rule of the hub found. ``state`` is ``pending``, ``firing`` or ``resolved``; ``subject`` says
    about whom, empty for the hub or the fleet as a whole; ``silenced_until``: nobody is told before.
    """

    id: str
    rule: str
    severity: str
    subject: str = ""
    state: str
    message: str = ""
    value: float | None = None
    since_at: float
    fired_at: float | None = None
    resolved_at: float | None = None
    silenced_until: float | None = None


class SilenceView(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that nobody is told of until a time. ``rule`` and ``subject`` are empty where they mean any."""

    id: str
    rule: str = ""
    subject: str = ""
    made_at: float = 0.0
    until_at: float
    comment: str = ""
    who: str = ""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. ``channels`` None: all. ``settings`` are those of its kind, see `docs/reference/alerts.md`."""

    name: str
    kind: str
    severity: str
    for_s: float = 0.0
    filter: str = ""
    channels: list[str] | None = None
    quiet: list[str] = []
    settings: dict[str, Any] = {}


class AlertChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A way to people: how many messages wait, how many tries in a row were in vain, and what the last one met."""

    name: str
    kind: str
    severity: str = "warning"
    waiting: int = 0
    failures: int = 0
    failure: str = ""


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts: those that fire, then pending ones, then those that are over; silences, rules and channels.

    ``total``: how many alerts there are; ``cursor``: where the next page of the API begins, None behind the last.
    """

    alerts: list[AlertView] = []
    total: int = 0
    cursor: str | None = None
    silences: list[SilenceView] = []
    rules: list[AlertRule] = []
    channels: list[AlertChannel] = []


class ChannelTest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test through one channel."""

    channel: str
    ok: bool
    detail: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. Fields that do not apply are empty.

    ``id`` is None for what is only live (`task.progress`, `task.log`, `hub.pulse`). ``stats`` come with `hub.pulse`,
    once a second, where this kind was asked for. Of kind ``reset``: events were missed that the hub no longer keeps;
    read the state again.
    """

    kind: str
    id: int | None = None
    at: float = 0.0
    task_id: str = ""
    name: str = ""
    state: str = ""
    attempt: int = 0
    node_id: str = ""
    origin: str = ""
    group: str = ""
    reason: str = ""
    error: Problem | None = None
    value: Any = None
    done: float | None = None
    total: float | None = None
    level: str = ""
    message: str = ""
    stats: Stats | None = None
