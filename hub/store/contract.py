"""The store's contract: operations, their answers, and what a backend must do with them.

Rules for every backend, each held by the conformance suite in `tests/hub/store/`:

- `execute` runs a list of operations in order in ONE transaction. When it returns, all of it is durable; when it raises
  `StoreUnavailableError`, none of it happened and the same list may be given again.
- Every write is conditional on what it names (task, attempt, node, instance). That nothing changed means somebody else
  decided first: an answer, not an error. No backend assumes that it is the only writer.
- A backend holds SQL and no policy: it reads the rows that an operation touches, asks the pure decisions
  (`hub.settlement`, `hub.reconciliation`, `hub.scheduling`) and writes what these say.
- Each change makes an event, numbered in commit order without gaps that a reader could overtake.

Values are frozen. ``*_at`` are seconds since 1970. Two clocks are named in each `Now`: see there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, TypeAlias

from msgspec import Meta, Struct

from hub.filter_terms import Term
from hub.lifecycle import TaskState
from hub.retry import RetryPolicy
from hub.samples import Sample
from hub.store.alerts import AlertMemory, AwayNode, ForgetMessages, NoteAlerts, PutSilence, QueueHead
from hub.store.history import AttemptView, AuditPage, ErrorGroup, NodeSpan, NoteDeed, NoteSample
from protocol.frames import AttemptKey, Identifier, Inventory, LabelText, LogLine, Outcome, TaskError
from protocol.limits import LABELS_MAX

# A node's death is not the task's fault, but a task that kills each node it meets must end: after so many losses it is
# final `lost`. Larger than any number of restarts that one task lives through in a fleet that is merely unlucky.
LOSSES_MAX = 50

WEEK_S = 7 * 24 * 3600.0

Labels: TypeAlias = Annotated[dict[Identifier, LabelText], Meta(max_length=LABELS_MAX)]


class Now(Struct, frozen=True):
    """The time of an operation, on both clocks.

    ``wall_s``: the wall clock; decides only about times that a person named (`not_before`, `deadline`) and is shown to
    people. ``steady_s``: the wall clock as it was when the hub started plus what has passed since; never jumps;
    decides about delays and pauses.
    """

    wall_s: float
    steady_s: float


# --- tasks -----------------------------------------------------------------------------------------------------------


class TaskOptions(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a task is to be run; valid when it exists. ``docs/reference/http-api.md`` says each in a line."""

    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    requires: Labels = {}
    node: Identifier | None = None
    delay_s: Annotated[float, Meta(ge=0, le=366 * 24 * 3600.0)] = 0.0
    not_before: float | None = None
    deadline: float | None = None
    retry: RetryPolicy = RetryPolicy()
    timeout_s: Annotated[float, Meta(gt=0, le=30 * 24 * 3600.0)] | None = None
    lease_s: Annotated[float, Meta(ge=1, le=WEEK_S)] = 300.0
    on_lost: Literal["retry", "fail"] = "retry"
    concurrency_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    concurrency_limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    labels: Labels = {}
    origin: Annotated[str, Meta(max_length=128)] = ""


DEFAULT_OPTIONS = TaskOptions()


class NewTask(Struct, frozen=True, kw_only=True, gc=False):
    """A task as it was submitted: checked at the door. ``payload`` is a JSON object as bytes."""

    task_id: str
    name: str
    payload: bytes = b"{}"
    options: TaskOptions = DEFAULT_OPTIONS
    group: str = ""


class TaskClass(Struct, frozen=True, gc=False):
    """Tasks that the same nodes can serve: same name, same requirements, same target.

    There are few classes, so that a node finds its next task among a million without a scan: the queue's index is
    (class, priority, age), and a node asks the classes that it can serve. ``requires`` is sorted by key.
    """

    name: str
    requires: tuple[tuple[str, str], ...] = ()
    target: str = ""


def class_of(name: str, options: TaskOptions) -> TaskClass:
    """Give the class of a task with this name and these options."""
    requires = tuple(sorted(options.requires.items())) if options.requires else ()
    return TaskClass(name, requires, options.node or "")


class TaskRow(Struct, frozen=True, kw_only=True, gc=False):
    """What the decisions need of a stored task.

    ``attempt`` is the newest attempt's number, 0 before the first. ``held``: an instance holds, or may hold, that
    attempt. A running task is always held; a cancelled one is until its node says that it has stopped. While it is
    held, ``node_id`` and ``instance_id`` say by whom.
    """

    task_id: str
    state: TaskState
    attempt: int = 0
    held: bool = False
    node_id: str = ""
    instance_id: str = ""
    failures: int = 0
    losses: int = 0
    retry: RetryPolicy = RetryPolicy()
    on_lost: Literal["retry", "fail"] = "retry"

    @property
    def key(self) -> AttemptKey:
        """The fencing token of the newest attempt."""
        return (self.task_id, self.attempt)


CountsAs: TypeAlias = Literal["", "succeeded", "failed", "cancelled", "lost"]


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """What a decision does to one task. The backend writes it, conditional on ``row`` being unchanged.

    ``pause_s`` is set when the task is to wait before it is queued again. ``counts_as`` says which total of the node
    grows by one (empty: none). ``error`` is stored as the task's error; ``reason`` says why an attempt ended that
    leaves none.
    """

    row: TaskRow
    state: TaskState
    held: bool = False
    failures: int
    losses: int
    pause_s: float | None = None
    error: TaskError | None = None
    counts_as: CountsAs = ""
    reason: str = ""


class Assignment(Struct, frozen=True, kw_only=True, gc=False):
    """A committed attempt that is to be pushed to one instance."""

    task_id: str
    attempt: int
    node_id: str
    instance_id: str
    name: str
    payload: bytes
    timeout_s: float | None
    lease_s: float


class NodeProfile(Struct, frozen=True, kw_only=True):
    """What decides whether a node can serve a class."""

    node_id: str
    handlers: frozenset[str] = frozenset()
    labels: dict[str, str] = {}


class Offer(Struct, frozen=True, kw_only=True):
    """``free`` slots of one instance that the hub has put aside for the operation that carries this offer."""

    profile: NodeProfile
    instance_id: str
    free: int


class AttemptResult(Struct, frozen=True, kw_only=True, gc=False):
    """A `result` frame as the store takes it: from whom, and when it ended on the hub's wall clock."""

    task_id: str
    attempt: int
    node_id: str
    outcome: Outcome
    value: bytes = b""
    error: TaskError | None = None
    wait_s: float = 0.0
    run_s: float = 0.0
    ended_at: float = 0.0


# --- operations and answers -----------------------------------------------------------------------------------------
# `luck` is a number drawn evenly from 0 to 1 for whatever the operation has to place at random: a backend draws none.


class Submit(Struct, frozen=True, kw_only=True):
    """Insert tasks; fill offered slots. A task takes a slot in the same commit only if nothing older or more urgent
    that is eligible waits for it. A repeated id or idempotency key gives the task that was there first.
    """

    tasks: Sequence[NewTask]
    offers: Sequence[Offer] = ()


class Accepted(Struct, frozen=True, gc=False):
    """One submitted task, in the order of `Submit.tasks`."""

    task_id: str
    state: TaskState
    existing: bool


class Submitted(Struct, frozen=True, kw_only=True):
    """Answer to `Submit`. ``assignments`` may hold older tasks than the submitted ones, highest priority first."""

    accepted: list[Accepted]
    assignments: list[Assignment]


HUB_STOPPED = "the hub stopped"
"""Why nodes are unreachable whose hub stopped or was killed: they are on their way back."""


class Broadcast(Struct, frozen=True, kw_only=True):
    """Insert one task, aimed at it, for each node that is here, not cordoned or draining, and can serve the template.

    Here is who is online, and who lost its session when a hub stopped and has not been heard of since: a restart must
    not make a broadcast pass anybody by.

    The tasks' ids are ``{group}.{node_id}`` (cut and hashed if too long); a repeated group gives the tasks that were
    made first. ``template.task_id`` is the group.
    """

    template: NewTask


class Broadcasted(Struct, frozen=True, kw_only=True):
    """Answer to `Broadcast`: ``(node_id, accepted)`` by node id."""

    tasks: list[tuple[str, Accepted]]


class Claim(Struct, frozen=True, kw_only=True):
    """Fill offered slots with what is queued: for each instance highest priority first, then first come."""

    offers: Sequence[Offer]


class Claimed(Struct, frozen=True, kw_only=True):
    """Answer to `Claim`."""

    assignments: list[Assignment]


class Record(Struct, frozen=True, kw_only=True):
    """Settle results, change the nodes' totals with them, then fill offered slots."""

    results: Sequence[AttemptResult]
    offers: Sequence[Offer] = ()
    luck: float = 0.5


Verdict: TypeAlias = Literal["committed", "superseded", "quarantined", "foreign"]


class Recorded(Struct, frozen=True, kw_only=True):
    """Answer to `Record`: a verdict for each result in order. Each one is to be acked; `foreign` (another node's
    attempt) changes nothing and is not acked.
    """

    verdicts: list[Verdict]
    assignments: list[Assignment]


class RegisterNode(Struct, frozen=True, kw_only=True):
    """Note a registration or a resumption (``profile`` None: as registered before) and reconcile the inventory."""

    node_id: str
    instance_id: str
    predecessors: Sequence[str]
    inventory: Inventory
    session_id: str
    registration: NodeRegistration | None
    luck: float = 0.5


class NodeRegistration(Struct, frozen=True, kw_only=True):
    """What a node says of itself when it registers."""

    name: str
    labels: dict[str, str]
    slots: int
    handlers: Sequence[str]
    version: str


class Reconciled(Struct, frozen=True, kw_only=True):
    """Answer to `RegisterNode`.

    ``keep``, ``stop``, ``forget``, ``cancel`` go to the node; ``acked`` are results that are final already;
    ``push`` is to be pushed again; ``held`` is what the store now says the node holds (it uses its slots).
    ``unknown`` are attempts that the store never heard of. ``cordoned`` and ``draining`` are the operator's wishes.
    """

    keep: list[AttemptKey]
    stop: list[AttemptKey]
    forget: list[AttemptKey]
    cancel: list[AttemptKey]
    push: list[Assignment]
    held: list[AttemptKey]
    unknown: list[AttemptKey]
    cordoned: bool
    draining: bool


class NodeLeft(Struct, frozen=True, kw_only=True):
    """Note that a node's session has no connection any more (`unreachable`) or that it said `bye` (`gone`).

    Who says `bye` holds nothing. What the store says that this instance holds was assigned meanwhile and never arrived:
    it is queued again, and nothing is counted.

    Conditional on ``instance_id`` and ``session_id`` being the ones of the last registration.
    """

    node_id: str
    instance_id: str
    session_id: str
    reason: str
    gone: bool = False


class NodeWish(Struct, frozen=True, kw_only=True):
    """An operator's wish: ``cordoned`` and ``draining`` change only if given. Answer: the `NodeView`, or None if
    unknown.
    """

    node_id: str
    cordoned: bool | None = None
    draining: bool | None = None


class NodeSeen(Struct, frozen=True, kw_only=True):
    """Heartbeats, batched: ``(node_id, instance_id)`` were heard of just now. Answer: None."""

    nodes: Sequence[tuple[str, str]]


class Cancel(Struct, frozen=True, kw_only=True):
    """Cancel tasks that are not final. Answer: `Cancelled`."""

    task_ids: Sequence[str]
    reason: str = ""


class Cancelled(Struct, frozen=True, kw_only=True):
    """``(task_id, state now)`` in order, state None if there is no such task; which of them this very operation
    changed; and which held attempts to stop.
    """

    states: list[tuple[str, TaskState | None]]
    changed: list[str]
    stop: list[TaskRow]


class Revive(Struct, frozen=True, kw_only=True):
    """Queue finished tasks again, failures forgotten. Answer: `Revived`. A task that is still held is left alone."""

    task_ids: Sequence[str]


class Revived(Struct, frozen=True, kw_only=True):
    """``(task_id, state before, done)`` in order; state None if there is no such task."""

    tasks: list[tuple[str, TaskState | None, bool]]


class Silence(Struct, frozen=True):
    """Nothing was heard of an instance for ``silent_s`` seconds on the hub's monotonic clock."""

    node_id: str
    instance_id: str
    silent_s: float


class Release(Struct, frozen=True, kw_only=True):
    """Free attempts whose lease, with the margin of `hub.leases.margin_s`, is shorter than the silence of their
    instance.
    """

    silences: Sequence[Silence]
    luck: float = 0.5


class Released(Struct, frozen=True, kw_only=True):
    """Freed attempts, and for each silence how long it must grow until the next lease runs out (None: nothing held)."""

    freed: list[TaskRow]
    next_due_s: list[float | None]


class Sweep(Struct, frozen=True, kw_only=True):
    """Move what is due to the queue, expire what is past its deadline, remove what is past its retention, in small
    batches; note nodes that have been unreachable for ``gone_after_s`` as gone.
    """

    retention_s: float
    retention_count: int
    gone_after_s: float
    batch: int = 1000


class Swept(Struct, frozen=True, kw_only=True):
    """How many tasks were moved; ``more``: a batch was full, sweep again soon; ``next_due_in_s``: until the next one is
    due or expires, None if there is none.
    """

    due: int
    expired: int
    removed: int
    more: bool
    next_due_in_s: float | None


class AppendLogs(Struct, frozen=True, kw_only=True):
    """Keep lines that handlers of ``node_id`` logged for tasks that it holds, at most ``lines_max`` per task. Answer:
    None.
    """

    node_id: str
    lines: Sequence[LogLine]
    lines_max: int


class HubStarted(Struct, frozen=True, kw_only=True):
    """The hub begins: nodes that were online or draining are unreachable until they return. Answer: `Inherited`."""

    hub_id: str


class Inherited(Struct, frozen=True, kw_only=True):
    """``holders`` are ``(node_id, instance_id)`` of all that hold attempts: their leases count from now. ``nodes``
    counts those that were not gone, and so will come back.
    """

    holders: list[tuple[str, str]]
    tasks: dict[str, int]
    nodes: int


class PutToken(Struct, frozen=True, kw_only=True):
    """Store a new token, or revoke one: ``revoked_at`` set. Answer: bool, whether anything changed; if so, the audit
    log has a line about it, from ``who``.
    """

    token: TokenRow
    who: str = "command line"


class TokenRow(Struct, frozen=True, kw_only=True):
    """A token as it is stored: ``digest`` is the SHA-256 of its secret, and the secret is nowhere."""

    token_id: str
    name: str
    role: Literal["node", "submit", "read", "admin"]
    digest: bytes
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    node_id: str | None = None


Operation: TypeAlias = (
    Submit
    | Broadcast
    | Claim
    | Record
    | RegisterNode
    | NodeLeft
    | NodeWish
    | NodeSeen
    | Cancel
    | Revive
    | Release
    | Sweep
    | AppendLogs
    | HubStarted
    | PutToken
    | NoteSample
    | NoteDeed
    | NoteAlerts
    | ForgetMessages
    | PutSilence
)


# --- events ----------------------------------------------------------------------------------------------------------


_STATES_OF_KINDS = {f"task.{state.value}": state.value for state in TaskState}


class Event(Struct, frozen=True, array_like=True, gc=False):
    """One change of a task or a node. ``id`` grows by one with each; events of a transaction stand together.

    ``kind`` is ``task.<state>``, ``node.<state>``, ``node.cordoned``, ``node.uncordoned``, or ``alert.<state>`` (then
    ``name`` is the rule, ``node_id`` the subject if it is a node, ``reason`` the message). The value of a succeeded
    task is not part of the stored event: a reader adds it (`Store.values`), the writer has it at hand.

    Three are made for each task. So they are written without the names of their fields, and the order of the fields is
    part of the stored form.
    """

    id: int
    at: float
    kind: str
    task_id: str = ""
    name: str = ""
    attempt: int = 0
    node_id: str = ""
    origin: str = ""
    group: str = ""
    error: TaskError | None = None
    reason: str = ""

    @property
    def state(self) -> str:
        """The state that a task is now in; empty for a node."""
        return _STATES_OF_KINDS.get(self.kind, "")


class Committed(Struct, frozen=True, kw_only=True):
    """What one transaction did: an answer per operation in order, and all events.

    An answer is an exception where that one operation failed for a reason of its own (a bug); it changed nothing.
    ``values`` are those of tasks that succeeded in it by task id, so that live readers need not ask. ``waiting`` counts
    the tasks that it put into the queue and did not assign, by class: whoever has free slots claims for them. ``waits``
    are the seconds from submit to assignment of tasks that started for the first time and were not told to wait,
    ``runs`` the run times of the results that it settled; both ``(task name, seconds)``. ``failed`` names the task of
    each attempt that failed. ``accepted`` counts new tasks.
    """

    answers: list[object]
    events: list[Event]
    values: dict[str, bytes]
    waiting: dict[TaskClass, int]
    waits: list[tuple[str, float]] = []
    runs: list[tuple[str, float]] = []
    failed: list[str] = []
    accepted: int = 0


# --- queries ---------------------------------------------------------------------------------------------------------


class TaskView(Struct, frozen=True, kw_only=True):
    """A stored task as people see it. ``payload`` and ``value`` only where one task was asked for."""

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
    error: TaskError | None
    options: TaskOptions
    held: bool
    payload: bytes | None = None
    value: bytes | None = None


class TaskFilter(Struct, frozen=True, kw_only=True):
    """Which tasks to list; what is empty or None does not restrict. ``since``: submitted at or after. ``terms`` must
    all hold (`hub/filters.py`); the times in them are counted back from ``at``, on the wall clock.
    """

    ids: Sequence[str] = ()
    states: Sequence[TaskState] = ()
    name: str = ""
    node: str = ""
    group: str = ""
    origin: str = ""
    label: tuple[str, str] | None = None
    since: float | None = None
    terms: Sequence[Term] = ()
    at: float = 0.0


class TaskPage(Struct, frozen=True, kw_only=True):
    """Newest first. ``cursor`` is None after the last page; a page may be short or empty and still have a cursor, since
    one page looks at a bounded number of rows.
    """

    tasks: list[TaskView]
    cursor: str | None


class TaskIdPage(Struct, frozen=True, kw_only=True):
    """Ids of tasks, newest first. ``cursor`` as in `TaskPage`."""

    ids: list[str]
    cursor: str | None


class NodeView(Struct, frozen=True, kw_only=True):
    """A stored node. Totals only grow, whatever reconnects or restarts."""

    id: str
    name: str
    state: Literal["online", "draining", "unreachable", "gone"]
    cordoned: bool
    draining: bool
    labels: dict[str, str]
    slots: int
    slots_in_use: int
    handlers: list[str]
    version: str
    instance_id: str
    session_id: str
    first_seen_at: float
    last_seen_at: float
    connected_at: float | None
    connects: int
    disconnects: int
    last_disconnect_at: float | None
    last_disconnect_reason: str
    succeeded: int
    failed: int
    cancelled: int
    lost: int
    run_s: float


NodeSort: TypeAlias = Literal[
    "id", "name", "state", "version", "slots", "used", "free", "outbox", "rtt", "age", "seen", "connects",
    "succeeded", "failed",
]  # fmt: skip


# More nodes than a hub has: a list without a limit.
NODES_MAX = 1_000_000


class NodeQuery(Struct, frozen=True, kw_only=True):
    """Which nodes to list, and how.

    ``terms`` must all hold; the times in them are counted back from ``at``, on the wall clock. ``live`` gives
    ``(node id, slots in use, outbox, round trip in ms)`` of those that are connected; it is asked for by terms and
    sorts about these and may be empty for others. Nodes of which a sort knows nothing come last, in both directions.
    """

    terms: Sequence[Term] = ()
    at: float = 0.0
    live: Sequence[tuple[str, int, int, float | None]] = ()
    sort: NodeSort = "id"
    is_descending: bool = False
    limit: int = NODES_MAX
    cursor: str | None = None


class NodePage(Struct, frozen=True, kw_only=True):
    """Nodes in the order that was asked for. ``total`` counts all that match; ``cursor`` is None after the last page.
    Behind a cursor come those that sort behind the node where the page ended, whatever has changed since.
    """

    nodes: list[NodeView]
    total: int
    cursor: str | None


class NodeCell(Struct, frozen=True, array_like=True):
    """A node as a map shows it."""

    id: str
    state: Literal["online", "draining", "unreachable", "gone"]
    slots: int
    slots_in_use: int
    cordoned: bool


class QueuePlace(Struct, frozen=True, kw_only=True):
    """What the store knows about why a task does not run.

    ``position``: how many eligible tasks of its class stand before it, plus 1; None unless it is queued.
    ``concurrency_holders``: attempts that hold its concurrency key now.
    """

    view: TaskView
    position: int | None
    concurrency_holders: int


class StoreStats(Struct, frozen=True, kw_only=True):
    """Counts for `GET /v1/stats`."""

    tasks: dict[str, int]
    nodes: dict[str, int]
    totals: dict[str, float]
    last_event_id: int
    oldest_queued_at: float | None


class StoredLogs(Struct, frozen=True, kw_only=True):
    """Log lines of one task, oldest first, and how many did not fit."""

    lines: list[LogLine]
    dropped: int


class EventPage(Struct, frozen=True, kw_only=True):
    """Events behind an id, in order; ``missed``: older ones that were asked for are kept no longer."""

    events: list[Event]
    last_id: int
    missed: bool


# --- errors ----------------------------------------------------------------------------------------------------------


class StoreError(Exception):
    """Base of what can be wrong with a store."""


class StoreUnavailableError(StoreError):
    """The database takes no commit now (disk full, I/O error, locked). Nothing happened; try the same again later."""


class StoreRefusedError(StoreError):
    """The database cannot be served from: damaged, from a newer version, in use by another hub. Fatal at start."""


# --- the backend ----------------------------------------------------------------------------------------------------


class Store(Protocol):
    """A backend. Blocking: the hub calls `execute` on its writer thread and the queries on its reader thread."""

    def execute(self, operations: Sequence[Operation], now: Now) -> Committed:
        """Run operations in order in one transaction and commit it.

        Raises:
            StoreUnavailableError: nothing of it happened.
        """
        ...

    def task(self, task_id: str) -> TaskView | None:
        """Give one task with payload and value."""
        ...

    def tasks(self, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskPage:
        """Give a page of tasks without payload and value. Raises ValueError for a cursor that is none of its own."""
        ...

    def task_ids(self, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskIdPage:
        """Give the ids of the same page. Raises ValueError as `tasks` does."""
        ...

    def values(self, task_ids: Sequence[str]) -> dict[str, bytes]:
        """Give the values of those of these tasks that have succeeded."""
        ...

    def queue_place(self, task_id: str) -> QueuePlace | None:
        """Give what the store knows about a waiting task."""
        ...

    def logs(self, task_id: str) -> StoredLogs:
        """Give the log lines of a task."""
        ...

    def node(self, node_id: str) -> NodeView | None:
        """Give one node."""
        ...

    def nodes(self) -> list[NodeView]:
        """Give all nodes by id."""
        ...

    def node_page(self, query: NodeQuery) -> NodePage:
        """Give a page of nodes. Raises ValueError for a cursor that is none of its own."""
        ...

    def node_map(self) -> list[NodeCell]:
        """Give all nodes by id, as a map shows them. Cheap enough to be asked every second."""
        ...

    def stats(self) -> StoreStats:
        """Count. Cheap enough to be asked every second."""
        ...

    def events(self, after_id: int, limit: int) -> EventPage:
        """Give events behind ``after_id``."""
        ...

    def samples(self, step_s: int, after: float, until: float) -> list[Sample]:
        """Give samples whose steps ended after ``after`` and not after ``until``, oldest first."""
        ...

    def node_spans(self, node_id: str, since: float) -> list[NodeSpan]:
        """Give the spans of a node that had not ended at ``since``, oldest first."""
        ...

    def errors(self, limit: int) -> list[ErrorGroup]:
        """Give the groups of errors that were seen last, newest first."""
        ...

    def attempts(self, task_id: str) -> list[AttemptView] | None:
        """Give the attempts of a task, oldest first, the newest one last; None if there is no such task."""
        ...

    def audit(self, limit: int, before_id: int) -> AuditPage:
        """Give lines of the audit log with ids below ``before_id``, newest first."""
        ...

    def tokens(self) -> list[TokenRow]:
        """Give all tokens, revoked and expired ones too."""
        ...

    def alerts(self) -> AlertMemory:
        """Give alerts, silences, and the messages that are not delivered yet."""
        ...

    def away_nodes(self) -> list[AwayNode]:
        """Give the nodes that are unreachable, by id. Cheap enough to be asked every second."""
        ...

    def queue_heads(self, limit: int) -> list[QueueHead]:
        """Give the first queued task of each class and priority, at most ``limit``."""
        ...

    def close(self) -> None:
        """Release the database. Twice is harmless."""
        ...
