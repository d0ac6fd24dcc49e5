"""The store's contract: what a backend must do with operations and queries.

Each topic's operations, their answers, and what its queries give, stand in a module of their own beside this one: tasks
and their submission, assignments, attempts, nodes, wishes, sweeps, logs, tokens, history, alerts.

Rules for every backend, each held by the conformance suite in `tests/hub/store/`:

- `execute` runs a list of operations in order in ONE transaction. When it returns, all of it is durable; when it raises
  `StoreUnavailableError`, none of it happened and the same list may be given again.
- Every write is conditional on what it names (task, attempt, node, instance). That nothing changed means somebody else
  decided first: an answer, not an error. No backend assumes that it is the only writer.
- A backend holds SQL and no policy: it reads the rows that an operation touches, asks the pure decisions
  (`hub.decisions.settlement`, `hub.decisions.reconciliation`, `hub.decisions.scheduling`) and writes what these say.
- Each change makes an event, numbered in commit order without gaps that a reader could overtake.

Values are frozen. ``*_at`` are seconds since 1970. Two clocks are named in each `Now`: see there. `luck`, where an
operation has it, is a number drawn evenly from 0 to 1 for whatever is to be placed at random: a backend draws none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from hub.decisions.samples import Sample
from hub.store.alerts import AlertMemory, AwayNode, ForgetMessages, NoteAlerts, PutSilence, QueueHead
from hub.store.assignments import Claim, Fetch
from hub.store.attempts import Record, Release
from hub.store.events import Event, EventPage
from hub.store.history import AttemptView, AuditPage, ErrorGroup, NodeSpan, NoteDeed, NoteSample
from hub.store.logs import AppendLogs, StoredLogs
from hub.store.node_views import NodeCell, NodePage, NodeQuery, NodeView
from hub.store.nodes import HubStarted, NodeLeaving, NodeLeft, NodeSeen, RegisterNode
from hub.store.now import Now
from hub.store.stats import StoreStats
from hub.store.submissions import Broadcast, Submit
from hub.store.sweeps import Sweep
from hub.store.task_views import QueuePlace, TaskFilter, TaskIdPage, TaskPage, TaskView
from hub.store.tasks import TaskClass
from hub.store.tokens import PutToken, TokenRow
from hub.store.wishes import Cancel, NodeWish, Revive

Operation: TypeAlias = (
    Submit
    | Broadcast
    | Claim
    | Fetch
    | Record
    | RegisterNode
    | NodeLeaving
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

    def last_steady_s(self) -> float:
        """Give the newest time of the steady clock that is stored, within ten seconds of a hub's life; 0 if none is."""
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
