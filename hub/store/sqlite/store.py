"""The SQLite backend of `hub.store.contract`: one connection that writes, one that reads."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

from hub.decisions.samples import Sample
from hub.store.alerts import AlertMemory, AwayNode, ForgetMessages, NoteAlerts, PutSilence, QueueHead
from hub.store.assignments import Claim, Claimed, Fetch
from hub.store.attempts import Record, Recorded, Release
from hub.store.contract import Committed, Operation
from hub.store.events import EventPage
from hub.store.history import AttemptView, AuditPage, ErrorGroup, NodeSpan, NoteDeed, NoteSample
from hub.store.logs import AppendLogs, StoredLogs
from hub.store.node_views import NodeCell, NodePage, NodeQuery, NodeView
from hub.store.nodes import HubStarted, NodeLeaving, NodeLeft, NodeSeen, RegisterNode
from hub.store.now import Now
from hub.store.sqlite import (
    alerts,
    attempts,
    audit,
    claiming,
    errors,
    logs,
    node_queries,
    nodes,
    queries,
    samples,
    settling,
    spans,
    submitting,
    sweeping,
    task_queries,
    tokens,
)
from hub.store.sqlite.classes import Classes
from hub.store.sqlite.connection import (
    Durability,
    connect_reader,
    connect_writer,
    damaged,
    is_outside,
    refused,
    unavailable,
)
from hub.store.sqlite.lock import DatabaseLock
from hub.store.sqlite.migrator import migrate
from hub.store.sqlite.transaction import Transaction
from hub.store.sqlite.watermark import Watermark
from hub.store.stats import StoreStats
from hub.store.submissions import Broadcast, Submit
from hub.store.sweeps import Sweep
from hub.store.task_views import QueuePlace, TaskFilter, TaskIdPage, TaskPage, TaskView
from hub.store.tokens import PutToken, TokenRow
from hub.store.wishes import Cancel, NodeWish, Revive

_logger = logging.getLogger(__name__)

T = TypeVar("T")

# A structural check reads the whole file: 360 MiB with a million tasks took 0.5 s from memory, and takes more from a
# slow disk. Up to this size every start has time for it.
CHECKED_BYTES_MAX: Final = 256 * 1024 * 1024


class SqliteStore:
    """A store in one SQLite file. `open` for a hub, `open_beside` for a short visit while a hub may be running."""

    def __init__(
        self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection, lock: DatabaseLock | None = None
    ) -> None:
        self._path = path
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._mark: Watermark | None = None
        self._classes = Classes(writer)
        self.hub_id: str = writer.execute("SELECT hub_id FROM identity").fetchone()[0]
        """The hub's id: made with the database and kept with it."""

    @classmethod
    def open(cls, path: Path, *, durability: Durability) -> SqliteStore:
        """Open the database of a hub, making or upgrading it.

        ``full``: what is committed survives a crash of the machine. ``normal``: it survives a crash of the hub; a crash
        of the machine may take the last commits.

        Raises:
            StoreRefusedError: damaged, from a newer version, in use by another hub, or not to be written. The message
                says what to do.
        """
        lock = DatabaseLock(path)
        try:
            store = cls._open(path, durability, lock)
        except BaseException:
            lock.release()
            raise
        try:
            store._check(durability)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open_beside(cls, path: Path) -> SqliteStore:
        """Open the database for a visit of another process than the hub, for `PutToken` and queries.

        Raises:
            StoreRefusedError: as `open`, but not because a hub uses it.
        """
        return cls._open(path, "full", None)

    @classmethod
    def _open(cls, path: Path, durability: Durability, lock: DatabaseLock | None) -> SqliteStore:
        writer = connect_writer(path, durability)
        try:
            migrate(writer, path)
            reader = connect_reader(path)
        except BaseException:
            writer.close()
            raise
        return cls(path, writer, reader, lock)

    def _check(self, durability: Durability) -> None:
        """Refuse a database that is older than what was answered, or whose structure is broken."""
        try:
            commits = self._writer.execute("SELECT commits FROM ledger").fetchone()[0]
            mark = Watermark(self._path, durability)
            mark.check(commits)
            self._mark = mark
            if self._path.stat().st_size <= CHECKED_BYTES_MAX:
                found = self._writer.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise damaged(self._path, found)
        except sqlite3.Error as error:
            raise refused(self._path, error) from error

    # --- writing ------------------------------------------------------------------------------------------------------

    def execute(self, operations: Sequence[Operation], now: Now) -> Committed:
        """Run operations in order in one transaction and commit it.

        Raises:
            StoreUnavailableError: nothing of it happened.
        """
        with self._outside_errors():
            try:
                return self._commit(operations, now, _run_together)
            except sqlite3.Error as error:
                if is_outside(error):
                    raise
                _logger.warning("operations run one by one after: %s", error)
            except Exception as error:
                # The edge of the operations: a fault of one must not take the others with it.
                _logger.warning("operations run one by one after: %r", error)
            return self._commit(operations, now, _run_apart)

    def _commit(
        self,
        operations: Sequence[Operation],
        now: Now,
        run: Callable[[Transaction, Sequence[Operation]], list[object]],
    ) -> Committed:
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            tx = Transaction(connection, self._classes, now)
            answers = run(tx, operations)
            tx.finish()
            committed = Committed(
                answers=answers,
                events=tx.events,
                values=tx.values,
                waiting=tx.waiting(),
                waits=tx.named(tx.waits),
                runs=tx.named(tx.runs),
                failed=tx.failed_names(),
                accepted=tx.accepted,
            )
            connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._classes.keep_fresh()
        if self._mark is not None:
            self._mark.note(tx.ledger.commits)
        return committed

    def _roll_back(self) -> None:
        self._classes.forget_fresh()
        # SQLite has rolled back by itself after some errors, and a disk that fails may fail here too: then the next
        # BEGIN says so.
        with contextlib.suppress(sqlite3.Error):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    @contextlib.contextmanager
    def _outside_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise unavailable(error) from error

    # --- queries ------------------------------------------------------------------------------------------------------

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._outside_errors():
            return query(self._reader)

    def task(self, task_id: str) -> TaskView | None:
        """Give one task with payload and value."""
        return self._read(lambda connection: task_queries.task(connection, task_id))

    def tasks(self, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskPage:
        """Give a page of tasks without payload and value. Raises ValueError for a cursor that is none of its own."""
        return self._read(lambda connection: task_queries.tasks(connection, chosen, limit, cursor))

    def task_ids(self, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskIdPage:
        """Give the ids of the same page. Raises ValueError as `tasks` does."""
        return self._read(lambda connection: task_queries.task_ids(connection, chosen, limit, cursor))

    def values(self, task_ids: Sequence[str]) -> dict[str, bytes]:
        """Give the values of those of these tasks that have succeeded."""
        return self._read(lambda connection: task_queries.values(connection, task_ids))

    def queue_place(self, task_id: str) -> QueuePlace | None:
        """Give what the store knows about a waiting task."""
        return self._read(lambda connection: task_queries.queue_place(connection, task_id))

    def logs(self, task_id: str) -> StoredLogs:
        """Give the log lines of a task."""
        return self._read(lambda connection: logs.of_task(connection, task_id))

    def node(self, node_id: str) -> NodeView | None:
        """Give one node."""
        return self._read(lambda connection: node_queries.view(connection, node_id))

    def nodes(self) -> list[NodeView]:
        """Give all nodes by id."""
        return self._read(node_queries.views)

    def node_page(self, query: NodeQuery) -> NodePage:
        """Give a page of nodes. Raises ValueError for a cursor that is none of its own."""
        return self._read(lambda connection: node_queries.page(connection, query))

    def node_map(self) -> list[NodeCell]:
        """Give all nodes by id, as a map shows them."""
        return self._read(node_queries.cells)

    def stats(self) -> StoreStats:
        """Count. Cheap enough to be asked every second."""
        return self._read(queries.stats)

    def events(self, after_id: int, limit: int) -> EventPage:
        """Give events behind ``after_id``."""
        return self._read(lambda connection: queries.events(connection, after_id, limit))

    def samples(self, step_s: int, after: float, until: float) -> list[Sample]:
        """Give samples whose steps ended after ``after`` and not after ``until``, oldest first."""
        return self._read(lambda connection: samples.between(connection, step_s, after, until))

    def node_spans(self, node_id: str, since: float) -> list[NodeSpan]:
        """Give the spans of a node that had not ended at ``since``, oldest first."""
        return self._read(lambda connection: spans.of_node(connection, node_id, since))

    def errors(self, limit: int) -> list[ErrorGroup]:
        """Give the groups of errors that were seen last, newest first."""
        return self._read(lambda connection: errors.newest(connection, limit))

    def attempts(self, task_id: str) -> list[AttemptView] | None:
        """Give the attempts of a task, oldest first; None if there is no such task."""
        return self._read(lambda connection: attempts.of_task(connection, task_id))

    def audit(self, limit: int, before_id: int) -> AuditPage:
        """Give lines of the audit log with ids below ``before_id``, newest first."""
        return self._read(lambda connection: audit.page(connection, limit, before_id))

    def last_steady_s(self) -> float:
        """Give the newest time of the steady clock that is stored; 0 if none is."""
        return self._read(queries.last_steady_s)

    def tokens(self) -> list[TokenRow]:
        """Give all tokens, revoked and expired ones too."""
        return self._read(tokens.of_all)

    def alerts(self) -> AlertMemory:
        """Give alerts, silences, and the messages that are not delivered yet."""
        return self._read(alerts.memory)

    def away_nodes(self) -> list[AwayNode]:
        """Give the nodes that are unreachable, by id."""
        return self._read(alerts.away_nodes)

    def queue_heads(self, limit: int) -> list[QueueHead]:
        """Give the first queued task of each class and priority, at most ``limit``."""
        return self._read(lambda connection: alerts.queue_heads(connection, limit))

    def close(self) -> None:
        """Release the database. Twice is harmless."""
        self._reader.close()
        self._writer.close()
        if self._mark is not None:
            self._mark.close()
        if self._lock is not None:
            self._lock.release()


# --- running operations ----------------------------------------------------------------------------------------------


def _run_together(tx: Transaction, operations: Sequence[Operation]) -> list[object]:
    """Run operations in order; neighbours of the same kind share their statements."""
    answers: list[object] = []
    for kind, group in groupby(operations, key=type):
        answers += _run(tx, kind, list(group))
    return answers


def _run_apart(tx: Transaction, operations: Sequence[Operation]) -> list[object]:
    """Run each operation by itself; one that fails changes nothing, and its answer is the exception."""
    answers: list[object] = []
    for operation in operations:
        savepoint = tx.savepoint()
        try:
            answer = _run(tx, type(operation), [operation])
            tx.flush()
        except Exception as error:
            # The edge of one operation.
            if isinstance(error, sqlite3.Error) and is_outside(error):
                raise
            _logger.exception("%s failed; nothing of it is stored", type(operation).__name__)
            savepoint.restore()
            answers.append(error)
        else:
            savepoint.release()
            answers += answer
    return answers


def _run(tx: Transaction, kind: type[Operation], operations: list[Operation]) -> list[object]:
    many = _MANY.get(kind)
    if many is not None:
        return many(tx, operations)
    one = _ONE[kind]
    return [one(tx, operation) for operation in operations]


def _submit(tx: Transaction, operations: Sequence[Submit]) -> list[object]:
    return list(submitting.submit(tx, operations))


def _claim(tx: Transaction, operations: Sequence[Claim]) -> list[object]:
    dealt = claiming.deal(tx, [operation.offers for operation in operations])
    return [Claimed(assignments=assignments) for assignments in dealt.assignments]


def _record(tx: Transaction, operations: Sequence[Record]) -> list[object]:
    verdicts = settling.record(tx, operations)
    dealt = claiming.deal(tx, [operation.offers for operation in operations])
    return [
        Recorded(verdicts=told, assignments=assignments)
        for told, assignments in zip(verdicts, dealt.assignments, strict=True)
    ]


_MANY: Final[dict[type, Callable[..., list[object]]]] = {
    Submit: _submit,
    Claim: _claim,
    Record: _record,
}
_ONE: Final[dict[type, Callable[..., object]]] = {
    Broadcast: submitting.broadcast,
    Fetch: nodes.fetch,
    RegisterNode: nodes.register,
    NodeLeaving: nodes.leaving,
    NodeLeft: nodes.left,
    NodeWish: nodes.wish,
    NodeSeen: nodes.seen,
    Cancel: settling.cancel,
    Revive: settling.revive,
    Release: settling.release,
    Sweep: sweeping.sweep,
    AppendLogs: logs.append,
    HubStarted: nodes.hub_started,
    PutToken: tokens.put,
    NoteSample: samples.note,
    NoteDeed: audit.note,
    NoteAlerts: alerts.note,
    ForgetMessages: alerts.forget,
    PutSilence: alerts.put_silence,
}
