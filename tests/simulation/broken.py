"""Rules of the design, each broken in one way: what the simulation must find, or it proves nothing.

Nothing in the product knows of this. A rule is broken by a subclass of a core, or by putting another decision in the
place of one that a core, or a room of it, makes while the seed runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from unittest import mock

from msgspec import Raw
from msgspec.structs import replace

from hub.decisions import effects as does
from hub.decisions import leases, reconciliation, settlement
from hub.decisions.backlog import Backlog
from hub.decisions.connections import Connections
from hub.decisions.core import HubCore
from hub.decisions.effects import Effect
from hub.decisions.lifecycle import TaskState
from hub.decisions.reconciliation import Reconciliation
from hub.decisions.results import Results
from hub.decisions.sessions import Session
from hub.decisions.silences import Silences
from hub.store.assignments import Assignment
from hub.store.attempts import AttemptResult, Change, Release, Silence, TaskRow
from hub.store.contract import Operation
from hub.store.now import Now
from hub.store.sqlite import nodes as sqlite_nodes
from hub.store.sqlite.classes import Classes
from node.decisions import effects as node_does
from node.decisions.attempts import Attempts, Held, Stage
from node.decisions.core import NodeCore
from node.decisions.link import Link
from protocol import frames
from protocol.frames import AttemptKey, Inventory, NodeFrame
from tests.simulation.hub_machine import HubProcess, Parts
from tests.simulation.installation import Kit

# Longer than any lease.
AGES_S = 1e9

Patch = tuple[Any, str, Any]


@contextlib.contextmanager
def kit_of(rule: str) -> Iterator[type[Kit]]:
    """Give what hub and nodes are made of where this rule is broken; an empty name breaks none."""
    kit, patches = RULES[rule] if rule else (Kit, ())
    with contextlib.ExitStack() as stack:
        for where, name, instead in patches:
            stack.enter_context(mock.patch.object(where, name, instead))
        yield kit


def _kit(
    *,
    hub_core: type[HubCore] = HubCore,
    hub_process: type[HubProcess] = HubProcess,
    node_core: type[NodeCore] = NodeCore,
) -> type[Kit]:
    parts = type("BrokenParts", (Parts,), {"core": hub_core})
    return type("BrokenKit", (Kit,), {"hub_parts": parts, "hub_process": hub_process, "node_core": node_core})


# --- what frees an attempt --------------------------------------------------------------------------------------------


_lose_connection = Connections.lose


def _lose_connection_and_requeue(
    self: Connections, session: Session, reason: str, *, gone: bool = False, sent_away: bool = False
) -> list[Effect]:
    """Gives up what a node holds because its connection closed."""
    told = _lose_connection(self, session, reason, gone=gone, sent_away=sent_away)
    silence = Silence(session.node_id, session.instance_id, AGES_S)
    return [*told, does.Persist(Release(silences=[silence]))]


class _RequeueOnStart(HubProcess):
    """Gives up what nodes hold because the hub started."""

    def begin(self) -> None:
        super().begin()
        if self.is_listening:
            holders = self.core._state.absences._heard_s
            silences = [Silence(node_id, instance_id, AGES_S) for node_id, instance_id in holders]
            self._put(Release(silences=silences), does.Ticket())


class _LeasesNotRenewedOnStart(HubProcess):
    """Counts the silence of a node also over the time in which no hub ran."""

    def begin(self) -> None:
        super().begin()
        seen_s = {node.id: node.last_seen_at for node in self.store.nodes()} if self.is_listening else {}
        for holder in list(self.core._state.absences._heard_s):
            self.core._state.absences.begin(holder, seen_s.get(holder[0], self.agenda.now_s))


def _renew_nothing(self: Silences, now_s: float) -> None:
    """Counts the silence of a node also over the time in which the store took no commits."""


def _lose_what_the_same_instance_lacks(
    found: Reconciliation, row: TaskRow, instance_id: str, predecessors: Collection[str]
) -> None:
    """Takes a push that never arrived for a loss."""
    change = settlement.lose(row, "the node does not have it")
    if change is not None and (row.instance_id == instance_id or row.instance_id in predecessors):
        found.changes.append(change)


def _push_what_an_earlier_instance_had(
    found: Reconciliation, row: TaskRow, instance_id: str, predecessors: Collection[str]
) -> None:
    """Pushes to a new process what the old one may have run."""
    if row.state is TaskState.RUNNING:
        found.push.append(row.key)
        found.held.append(row.key)


# --- what waits for room ---------------------------------------------------------------------------------------------


_judge_kept = reconciliation.judge_kept


def _push_what_is_held(key: AttemptKey, row: TaskRow | None, node_id: str, instance_id: str) -> Any:
    """Pushes what was cancelled while its push waited."""
    verdict = _judge_kept(key, row, node_id, instance_id)
    return verdict if verdict == "gone" else "push"


def _keep_nothing(self: Backlog, keys: Iterable[AttemptKey]) -> None:
    """Forgets what cannot be sent at once."""


def _admit_all(self: Backlog, assigned: Sequence[Assignment]) -> Sequence[Assignment]:
    """Sends whatever was assigned, however much waits."""
    self.waiting_bytes += sum(len(item.payload) for item in assigned)
    return assigned


# --- what is answered when --------------------------------------------------------------------------------------------


_settle_results = Results.settle


def _ack_and_settle(self: Results, session: Session, results: Sequence[frames.Result], now: Now) -> list[Effect]:
    """Acks results when they arrive."""
    told = _settle_results(self, session, results, now)
    acked = [(result.task_id, result.attempt) for result in results]
    return [does.Send(session.connection or 0, [frames.Ack(attempts=acked)]), *told]


class _PushBeforeCommit(HubProcess):
    """Sends tasks while the commit that assigns them is still to be made."""

    def _commit(self) -> None:
        rehearsed = self._rehearse([operation for operation, _ in [*self._batch, *self._pending]][:64])
        for answer in rehearsed:
            for item in getattr(answer, "assignments", ()):
                session = self.core._state.roster.get(item.node_id)
                if session is not None and session.connection is not None and session.is_ready:
                    self._push_early(session.connection, item)
        super()._commit()

    def _rehearse(self, operations: list[Operation]) -> list[object]:
        """Find out what a commit would answer, and take it back."""
        database = self.store._writer
        mark, self.store._mark = self.store._mark, None
        try:
            with mock.patch.object(self.store, "_writer", _RollsBack(database)):
                return self.store.execute(operations, self.now).answers
        finally:
            # What it learned of classes was taken back, too.
            self.store._classes = Classes(database)
            self.store._mark = mark

    def _push_early(self, connection: int, item: Assignment) -> None:
        door = self._doors.get(connection)
        if door is not None:
            task = frames.Task(
                task_id=item.task_id,
                attempt=item.attempt,
                name=item.name,
                payload=Raw(b"{}"),
                timeout_s=None,
                lease_s=item.lease_s,
            )
            self.step(f"push {item.task_id}/{item.attempt} early")
            door.waiting.append(task)
            self._flush(door)


class _RollsBack:
    """A database whose commits are taken back."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def execute(self, sql: str, *more: Any) -> Any:
        return self._database.execute("ROLLBACK" if sql == "COMMIT" else sql, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class _DropsWhatFailed(HubProcess):
    """Drops what a commit that failed held, and goes on with the next."""

    def _fail(self, reason: str) -> None:
        self._batch = []
        super()._fail(reason)


# --- what a node keeps ------------------------------------------------------------------------------------------------


class _ForgetsWhenSent(NodeCore):
    """Takes a returned `send` for an ack."""

    def _proceed(self, now_s: float) -> list[node_does.Effect]:
        told = super()._proceed(now_s)
        sent = [
            (frame.task_id, frame.attempt)
            for effect in told
            if isinstance(effect, node_does.Send)
            for frame in effect.frames
            if isinstance(frame, frames.Result)
        ]
        return told + self._forget(sent)


class _ForgetsWhenRestarted(NodeCore):
    """Begins with an empty outbox."""

    def __init__(self, *arguments: Any, results: object = (), **options: Any) -> None:
        super().__init__(*arguments, **options)


class _InNeither(NodeCore):
    """Lets go of an attempt when its handler ends, and takes its result up again when it is stored."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._between: dict[AttemptKey, Held] = {}

    def _finish(self, ended: Iterable[node_does.Ended]) -> list[node_does.Effect]:
        told = super()._finish(ended)
        for key in list(self._attempts._held):
            if self._attempts._held[key].stage is Stage.ENDED:
                self._between[key] = self._attempts._held.pop(key)
        return told

    def stored(self, keys: Sequence[AttemptKey], now_s: float) -> list[node_does.Effect]:
        for key in keys:
            if key in self._between:
                self._attempts._held[key] = self._between.pop(key)
        return super().stored(keys, now_s)


class _InventoryWithoutResults(NodeCore):
    """Leaves out the results that wait."""

    @property
    def inventory(self) -> Inventory:
        return Inventory(running=self._attempts.keys)


class _StartsAgain(NodeCore):
    """Starts what is pushed, whatever it had before."""

    def _hold(self, task: frames.Task, now_s: float) -> list[node_does.Effect]:
        self._attempts.hold(task, now_s)
        return []


class _LeasesLate(NodeCore):
    """Looks at leases when it ticks, and not before anything else."""

    _is_ticking = False

    def tick(self, now_s: float, *more: Any) -> list[node_does.Effect]:
        self._is_ticking = True
        try:
            return super().tick(now_s, *more)
        finally:
            self._is_ticking = False

    def _wake(self, now_s: float) -> list[node_does.Effect]:
        return super()._wake(now_s) if self._is_ticking else []


# --- who is listened to -----------------------------------------------------------------------------------------------


class _ListensToTheSuperseded(HubCore):
    """Acts on frames of a connection that a newer one has superseded."""

    def received(self, connection: int, message: Sequence[NodeFrame], now: Now) -> list[Effect]:
        source = self._connections.get(connection)
        session = None if source is None else source.session
        if session is not None and session.connection != connection:
            return self._conversation.listen(session, connection, message, now)
        return super().received(connection, message, now)


class _ListensToTheLeft(NodeCore):
    """Acts on frames of a connection that it has left."""

    def received(self, connection: int, message: Sequence[frames.HubFrame], now_s: float) -> list[node_does.Effect]:
        if self._link is Link.OFFLINE:
            return super().received(connection, message, now_s)
        return super().received(self._connection, message, now_s)


def _keep_what_is_superseded(
    found: Reconciliation, key: AttemptKey, row: TaskRow | None, refuse: list[AttemptKey]
) -> None:
    """Lets a node go on with an attempt that the store gave to another."""
    found.keep.append(key)
    if row is None or key[1] > row.attempt:
        found.unknown.append(key)


# --- outcomes ---------------------------------------------------------------------------------------------------------

_settle, _cancel, _lose = settlement.settle, settlement.cancel, settlement.lose


def _settle_late(row: TaskRow | None, result: AttemptResult, luck: float) -> settlement.Settlement:
    """Takes the result of an older attempt for the newest one's."""
    if row is not None and row.state is TaskState.RUNNING and result.attempt < row.attempt:
        return _settle(replace(row, node_id=result.node_id), replace(result, attempt=row.attempt), luck)
    return _settle(row, result, luck)


def _cancel_anyway(row: TaskRow, reason: str) -> Change | None:
    """Cancels what has its outcome."""
    change = _cancel(row, reason)
    if change is None and row.state is not TaskState.CANCELLED:
        return Change(row=row, state=TaskState.CANCELLED, failures=row.failures, losses=row.losses)
    return change


def _lose_and_retry(row: TaskRow, reason: str) -> Change | None:
    """Runs again what may not."""
    return _lose(replace(row, on_lost="retry"), reason)


RULES: dict[str, tuple[type[Kit], Sequence[Patch]]] = {
    "requeue-when-a-connection-closes": (Kit, [(Connections, "lose", _lose_connection_and_requeue)]),
    "requeue-when-the-hub-starts": (_kit(hub_process=_RequeueOnStart), ()),
    "leases-not-renewed-when-the-hub-starts": (_kit(hub_process=_LeasesNotRenewedOnStart), ()),
    "leases-not-renewed-after-a-full-disk": (Kit, [(Silences, "renew", _renew_nothing)]),
    "lose-what-the-same-instance-lacks": (
        Kit,
        [(reconciliation, "_judge_missing", _lose_what_the_same_instance_lacks)],
    ),
    "push-what-an-earlier-instance-had": (
        Kit,
        [(reconciliation, "_judge_missing", _push_what_an_earlier_instance_had)],
    ),
    "push-what-was-cancelled-meanwhile": (Kit, [(sqlite_nodes, "judge_kept", _push_what_is_held)]),
    "forget-what-has-no-room": (Kit, [(Backlog, "keep", _keep_nothing)]),
    "push-whatever-waits": (Kit, [(Backlog, "admit", _admit_all)]),
    "no-margin-behind-a-lease": (Kit, [(leases, "margin_s", lambda lease_s: 0.0)]),
    "node-keeps-no-lease": (Kit, [(Attempts, "run_out", lambda self, now_s, confirmed_s: [])]),
    "node-looks-at-leases-late": (_kit(node_core=_LeasesLate), ()),
    "ack-before-commit": (Kit, [(Results, "settle", _ack_and_settle)]),
    "push-before-commit": (_kit(hub_process=_PushBeforeCommit), ()),
    "drop-what-a-failed-commit-held": (_kit(hub_process=_DropsWhatFailed), ()),
    "node-forgets-a-result-when-sent": (_kit(node_core=_ForgetsWhenSent), ()),
    "node-forgets-results-when-restarted": (_kit(node_core=_ForgetsWhenRestarted), ()),
    "attempts-in-neither": (_kit(node_core=_InNeither), ()),
    "inventory-without-results": (_kit(node_core=_InventoryWithoutResults), ()),
    "node-starts-what-it-had": (_kit(node_core=_StartsAgain), ()),
    "frames-of-superseded-connections-count": (_kit(hub_core=_ListensToTheSuperseded), ()),
    "frames-of-connections-that-were-left-count": (_kit(node_core=_ListensToTheLeft), ()),
    "superseded-attempts-go-on": (Kit, [(reconciliation, "_judge_extra", _keep_what_is_superseded)]),
    "late-results-count": (Kit, [(settlement, "settle", _settle_late)]),
    "cancel-overwrites-an-outcome": (Kit, [(settlement, "cancel", _cancel_anyway)]),
    "on-lost-is-ignored": (
        Kit,
        [(settlement, "lose", _lose_and_retry), (reconciliation, "lose", _lose_and_retry)],
    ),
}
"""Each rule by its name: what is put in whose place."""
