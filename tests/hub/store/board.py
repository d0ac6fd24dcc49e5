"""A store with clocks that a test moves, and the operations in the few words that tests need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from hub.decisions.backlog import BACKLOG_BYTES_MAX
from hub.decisions.lifecycle import TaskState
from hub.store.assignments import Assignment, Claim, Claimed, Fetch, Fetched, NodeProfile, Offer
from hub.store.attempts import AttemptResult, Record, Recorded, Release, Released, Silence, Verdict
from hub.store.contract import Committed, Operation, Store
from hub.store.nodes import NodeRegistration, Reconciled, RegisterNode
from hub.store.now import Now
from hub.store.submissions import Accepted, Submit, Submitted
from hub.store.sweeps import Sweep, Swept
from hub.store.task_views import TaskView
from hub.store.tasks import NewTask, TaskOptions
from hub.store.wishes import Cancel, Cancelled, Revive, Revived
from protocol.frames import AttemptKey, Inventory, Outcome, TaskError

START_S = 1_700_000_000.0


class Board:
    """One store under test."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.wall_s = START_S
        self.steady_s = START_S
        self.last: Committed = Committed(answers=[], events=[], values={}, waiting={})
        self._ids = count(1)

    @property
    def now(self) -> Now:
        return Now(self.wall_s, self.steady_s)

    def wait(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_s += seconds
        self.steady_s += seconds

    def run(self, *operations: Operation) -> list[object]:
        self.last = self.store.execute(operations, self.now)
        return self.last.answers

    def one(self, operation: Operation) -> object:
        (answer,) = self.run(operation)
        if isinstance(answer, Exception):
            raise answer
        return answer

    # --- tasks ------------------------------------------------------------------------------------------------------

    def new(self, task_id: str = "", name: str = "work", payload: bytes = b"{}", **options: Any) -> NewTask:
        return NewTask(
            task_id=task_id or f"t{next(self._ids):06d}",
            name=name,
            payload=payload,
            options=TaskOptions(**options),
        )

    def submit(self, *tasks: NewTask, offers: Sequence[Offer] = ()) -> Submitted:
        answer = self.one(Submit(tasks=tasks, offers=offers))
        assert isinstance(answer, Submitted)
        return answer

    def put(self, task_id: str = "", name: str = "work", payload: bytes = b"{}", **options: Any) -> str:
        """Submit one task without an offer; give its id."""
        (accepted,) = self.submit(self.new(task_id, name, payload, **options)).accepted
        return accepted.task_id

    def claim(self, *offers: Offer) -> list[Assignment]:
        answer = self.one(Claim(offers=offers or (offer(),)))
        assert isinstance(answer, Claimed)
        return answer.assignments

    def claimed(self, *offers: Offer) -> list[str]:
        return [assignment.task_id for assignment in self.claim(*offers)]

    def running(self, task_id: str = "", name: str = "work", **options: Any) -> AttemptKey:
        """Submit a task and have it assigned to node ``n``; give its attempt."""
        (assignment,) = self.submit(self.new(task_id, name, **options), offers=[offer(handlers=[name])]).assignments
        return assignment.task_id, assignment.attempt

    def record(self, *results: AttemptResult, offers: Sequence[Offer] = (), luck: float = 0.5) -> Recorded:
        answer = self.one(Record(results=results, offers=offers, luck=luck))
        assert isinstance(answer, Recorded)
        return answer

    def end(self, key: AttemptKey, outcome: Outcome = "succeeded", node_id: str = "n", **more: Any) -> Verdict:
        (verdict,) = self.record(result(key, outcome, node_id, **more)).verdicts
        return verdict

    def cancel(self, *task_ids: str) -> Cancelled:
        answer = self.one(Cancel(task_ids=task_ids, reason="enough"))
        assert isinstance(answer, Cancelled)
        return answer

    def revive(self, *task_ids: str) -> Revived:
        answer = self.one(Revive(task_ids=task_ids))
        assert isinstance(answer, Revived)
        return answer

    def release(self, *silences: Silence) -> Released:
        answer = self.one(Release(silences=silences))
        assert isinstance(answer, Released)
        return answer

    def sweep(
        self, retention_s: float = 1e9, retention_count: int = 10**9, gone_after_s: float = 1e9, batch: int = 1000
    ) -> Swept:
        answer = self.one(
            Sweep(retention_s=retention_s, retention_count=retention_count, gone_after_s=gone_after_s, batch=batch)
        )
        assert isinstance(answer, Swept)
        return answer

    def view(self, task_id: str) -> TaskView:
        view = self.store.task(task_id)
        assert view is not None
        return view

    def state(self, task_id: str) -> TaskState:
        return self.view(task_id).state

    # --- nodes ------------------------------------------------------------------------------------------------------

    def registration(
        self,
        node_id: str = "n",
        instance_id: str = "i",
        *,
        running: Sequence[AttemptKey] = (),
        results: Sequence[AttemptKey] = (),
        predecessors: Sequence[str] = (),
        labels: dict[str, str] | None = None,
        handlers: Sequence[str] = ("work",),
        session_id: str = "s",
        is_resumed: bool = False,
        leaving: bool = False,
    ) -> RegisterNode:
        registration = NodeRegistration(
            name=node_id.upper(), labels=labels or {}, slots=4, handlers=handlers, version="1"
        )
        return RegisterNode(
            node_id=node_id,
            instance_id=instance_id,
            predecessors=predecessors,
            inventory=Inventory(running=list(running), results=list(results)),
            session_id=session_id,
            registration=None if is_resumed else registration,
            leaving=leaving,
        )

    def register(self, node_id: str = "n", instance_id: str = "i", **more: Any) -> Reconciled:
        answer = self.one(self.registration(node_id, instance_id, **more))
        assert isinstance(answer, Reconciled)
        return answer

    def fetch(
        self, *keys: AttemptKey, node_id: str = "n", instance_id: str = "i", bytes_max: int = BACKLOG_BYTES_MAX
    ) -> Fetched:
        operation = Fetch(node_id=node_id, instance_id=instance_id, keys=keys, bytes_max=bytes_max)
        answer = self.one(operation)
        assert isinstance(answer, Fetched)
        return answer


def offer(
    free: int = 1,
    node_id: str = "n",
    instance_id: str = "i",
    handlers: Sequence[str] = ("work",),
    labels: dict[str, str] | None = None,
    bytes_max: int = BACKLOG_BYTES_MAX,
) -> Offer:
    profile = NodeProfile(node_id=node_id, handlers=frozenset(handlers), labels=labels or {})
    return Offer(profile=profile, instance_id=instance_id, free=free, bytes_max=bytes_max)


def result(key: AttemptKey, outcome: Outcome = "succeeded", node_id: str = "n", **more: Any) -> AttemptResult:
    values: dict[str, Any] = {"value": b"1" if outcome == "succeeded" else b""}
    if outcome == "failed":
        values["error"] = TaskError(kind="error", message="broke")
    values |= more
    return AttemptResult(
        task_id=key[0],
        attempt=key[1],
        node_id=node_id,
        outcome=outcome,
        **values,
    )


def ids(accepted: Sequence[Accepted]) -> list[str]:
    return [item.task_id for item in accepted]
