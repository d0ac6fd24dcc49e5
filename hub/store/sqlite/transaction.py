"""One transaction: what its operations share, and what is written once at its end.

Counts, events and node totals are gathered while the operations run and written in `Transaction.finish`, so that a
transaction of many operations pays for them once.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from copy import copy
from typing import Final

import msgspec

from hub.decisions.lifecycle import TaskState
from hub.store.attempts import CountsAs
from hub.store.events import Event
from hub.store.now import Now
from hub.store.sqlite import bulk, event_texts, spans
from hub.store.sqlite.classes import Classes
from hub.store.sqlite.rows import StoredTask, options_of
from hub.store.sqlite.spans import Turn
from hub.store.tasks import TaskClass
from protocol.frames import TaskError

# Events of one row. A reader takes whole rows: 4,096 of 200 bytes stay below a megabyte.
EVENTS_PER_BATCH: Final = 4096

_TASK_KINDS: Final = {state: f"task.{state.value}" for state in TaskState}

_encode = msgspec.json.Encoder().encode
_ledger = msgspec.json.Decoder(tuple[int, int, int, list[int], int])


class Ledger:
    """The database's one row of running numbers, and what this transaction adds."""

    __slots__ = ("commits", "counts", "event_bytes", "last_event_id", "last_seq")

    def __init__(self, connection: sqlite3.Connection) -> None:
        statement = "SELECT json_array(commits, last_seq, last_event_id, json(counts), event_bytes) FROM ledger"
        text = connection.execute(statement).fetchone()[0]
        self.commits, self.last_seq, self.last_event_id, self.counts, self.event_bytes = _ledger.decode(text)

    def write(self, connection: sqlite3.Connection) -> None:
        """Store it."""
        self.commits += 1
        connection.execute(
            "UPDATE ledger SET commits = ?, last_seq = ?, last_event_id = ?, counts = ?, event_bytes = ?",
            (self.commits, self.last_seq, self.last_event_id, _encode(self.counts).decode(), self.event_bytes),
        )


class Totals:
    """What a transaction adds to the totals of one node."""

    __slots__ = ("cancelled", "failed", "lost", "run_s", "succeeded")

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed = 0
        self.cancelled = 0
        self.lost = 0
        self.run_s = 0.0


class Transaction:
    """A transaction that has begun on ``connection``.

    ``queued`` holds the class of each task that was put into the queue and not assigned since, by ``seq``;
    ``key_holders`` how many attempts hold a concurrency key (see `hub.store.sqlite.keys`); ``fetched_bytes`` is the
    size of the payloads that were read to be pushed.
    """

    def __init__(self, connection: sqlite3.Connection, classes: Classes, now: Now) -> None:
        self.connection = connection
        self.classes = classes
        self.now = now
        self.ledger = Ledger(connection)
        self.key_holders: dict[str, int] = {}
        self.events: list[Event] = []
        self.values: dict[str, bytes] = {}
        self.queued: dict[int, int] = {}
        # How long tasks waited and ran, by class: for meters, and stored nowhere.
        self.waits: list[tuple[int, float]] = []
        self.runs: list[tuple[int, float]] = []
        self.failed: list[int] = []
        self.accepted = 0
        self.fetched_bytes = 0
        self._totals: dict[str, Totals] = {}
        self._turns: list[Turn] = []
        self._changes_before = connection.total_changes

    def node_state(self, node_id: str, state: str, reason: str = "") -> None:
        """Add the event that a node is now in ``state``, and begin a span of its history."""
        self.event(f"node.{state}", node_id=node_id, reason=reason)
        self.begin_span(node_id, state, reason, self.now.wall_s)

    def begin_span(self, node_id: str, state: str, reason: str, at: float) -> None:
        """Begin a span of a node's history that is told by no event of its own."""
        self._turns.append(Turn(node_id, state, reason, at))

    def event(self, kind: str, *, node_id: str = "", name: str = "", reason: str = "") -> None:
        """Add an event about a node or an alert."""
        self.ledger.last_event_id += 1
        self.events.append(
            Event(
                id=self.ledger.last_event_id,
                at=self.now.wall_s,
                kind=kind,
                name=name,
                node_id=node_id,
                reason=reason,
            )
        )

    def task_event(self, task: StoredTask, state: TaskState, *, error: TaskError | None = None) -> None:
        """Add an event about a task that is now in ``state``."""
        ledger = self.ledger
        ledger.last_event_id += 1
        self.events.append(
            Event(
                ledger.last_event_id,
                self.now.wall_s,
                _TASK_KINDS[state],
                task.task_id,
                self.classes.get(task.class_id).name,
                task.attempt,
                task.node_id,
                options_of(task.options_text).origin,
                task.group,
                error,
            )
        )

    def note_wait(self, task: StoredTask, submitted_at: float | None) -> None:
        """Note that a task starts now. A later attempt, and a task that was to wait, say nothing about the queue."""
        if submitted_at is not None and task.attempt == 1:
            options = options_of(task.options_text)
            if not options.delay_s and options.not_before is None:
                self.waits.append((task.class_id, max(0.0, self.now.wall_s - submitted_at)))

    def named(self, measured: list[tuple[int, float]]) -> list[tuple[str, float]]:
        """Give measurements with the names of their tasks instead of classes."""
        return [(self.classes.get(class_id).name, seconds) for class_id, seconds in measured]

    def failed_names(self) -> list[str]:
        """Give the names of the tasks of which an attempt failed."""
        return [self.classes.get(class_id).name for class_id in self.failed]

    def count(self, node_id: str, counts_as: CountsAs) -> None:
        """Add one to this total of a node."""
        totals = self.totals(node_id)
        match counts_as:
            case "succeeded":
                totals.succeeded += 1
            case "failed":
                totals.failed += 1
            case "cancelled":
                totals.cancelled += 1
            case "lost":
                totals.lost += 1

    def totals(self, node_id: str) -> Totals:
        """Give what this transaction adds to a node's totals."""
        totals = self._totals.get(node_id)
        if totals is None:
            totals = self._totals[node_id] = Totals()
        return totals

    def next_seq(self) -> int:
        """Take the next sequence number."""
        self.ledger.last_seq += 1
        return self.ledger.last_seq

    def recount(self, before: int, after: int) -> None:
        """Note that a task went from one state code to another."""
        self.ledger.counts[before] -= 1
        self.ledger.counts[after] += 1

    def flush(self) -> None:
        """Write what is gathered for nodes."""
        self.flush_totals()
        if self._turns:
            turns, self._turns = self._turns, []
            spans.write(self.connection, turns, self.now)

    def flush_totals(self) -> None:
        """Write the totals, one change for each node."""
        if not self._totals:
            return
        rows = [
            (node_id, sums.succeeded, sums.failed, sums.cancelled, sums.lost, sums.run_s)
            for node_id, sums in self._totals.items()
        ]
        self._totals = {}
        bulk.update(
            self.connection,
            "nodes",
            "id",
            "succeeded = succeeded + column2, failed = failed + column3, cancelled = cancelled + column4,"
            " lost = lost + column5, run_s = run_s + column6",
            rows,
        )

    def waiting(self) -> dict[TaskClass, int]:
        """Count the tasks that were put into the queue and are still there, by class."""
        return {self.classes.get(class_id): count for class_id, count in Counter(self.queued.values()).items()}

    def finish(self) -> None:
        """Write what was gathered; nothing if nothing changed."""
        self.flush()
        self._write_events()
        if self.connection.total_changes != self._changes_before:
            self.ledger.write(self.connection)

    def _write_events(self) -> None:
        for start in range(0, len(self.events), EVENTS_PER_BATCH):
            batch = self.events[start : start + EVENTS_PER_BATCH]
            body = event_texts.packed(batch)
            self.ledger.event_bytes += len(body)
            self.connection.execute(
                "INSERT INTO event_batches VALUES (?, ?, ?, ?)", (batch[0].id, len(batch), self.now.steady_s, body)
            )

    # --- one operation that may fail alone -----------------------------------------------------------------------

    def forget(self) -> None:
        """Drop what was gathered or remembered since the last savepoint and is kept nowhere else."""
        self._totals = {}
        self._turns = []
        self.key_holders = {}
        self.classes.forget_fresh()

    def savepoint(self) -> Savepoint:
        """Remember how things stand, before an operation that may fail."""
        return Savepoint(self)


class Savepoint:
    """What an operation that fails is taken back to: the database's state and the gathered values."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        # What is gathered for nodes reaches the database first, so that it needs no copy.
        transaction.flush()
        transaction.connection.execute("SAVEPOINT operation")
        self._ledger = copy(transaction.ledger)
        self._ledger.counts = list(transaction.ledger.counts)
        self._events = len(transaction.events)
        self._values = dict(transaction.values)
        self._queued = dict(transaction.queued)
        self._measured = (
            *(len(transaction.waits), len(transaction.runs), len(transaction.failed)),
            transaction.accepted,
        )

    def release(self) -> None:
        """The operation is done."""
        self._transaction.connection.execute("RELEASE operation")

    def restore(self) -> None:
        """The operation failed: take everything back to where it began."""
        transaction = self._transaction
        transaction.connection.execute("ROLLBACK TO operation")
        transaction.connection.execute("RELEASE operation")
        transaction.ledger = self._ledger
        del transaction.events[self._events :]
        transaction.values = self._values
        transaction.queued = self._queued
        waits, runs, failed, transaction.accepted = self._measured
        del transaction.waits[waits:]
        del transaction.runs[runs:]
        del transaction.failed[failed:]
        transaction.forget()
