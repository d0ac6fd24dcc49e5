"""Fill offered slots with queued tasks: for each instance the most urgent first, then first come.

Queued tasks stand in lines, one for each class. A line is read from the index in pieces, its head first: a claim costs
what it assigns and not what waits. Tasks that are being submitted stand in the same lines without being stored yet:
what finds a slot is then written once, as running. Offers take turns, one slot each.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from hub.decisions.scheduling import can_serve
from hub.decisions.settlement import expire
from hub.store.assignments import Assignment, Offer
from hub.store.sqlite import bulk, keys, rows, settling
from hub.store.sqlite.classes import queued_unaimed
from hub.store.sqlite.codes import QUEUED, RUNNING
from hub.store.sqlite.rows import StoredTask
from hub.store.sqlite.settling import Settled
from hub.store.sqlite.transaction import Transaction

# Tasks read from a line at a time: most offers are a few slots, and what is read and not assigned was read for nothing.
READ_MIN: Final = 8
READ_MAX: Final = 512

# Payload bytes that one operation assigns. They pass through memory as a whole; what is left finds its slots in the
# next operation.
ASSIGNED_BYTES_MAX: Final = 16 * 1024 * 1024


class Seat(Struct, gc=False):
    """One offer while it is being filled: which operation it came with, and what it has been given."""

    operation: int
    offer: Offer
    left: int
    bytes_left: int


class Taken(Struct, frozen=True, gc=False):
    """A task that found a slot."""

    operation: int
    task: StoredTask
    payload: bytes


class Dealt(Struct, frozen=True):
    """What filling offers came to. ``stored`` were in the queue, ``fresh`` are to be inserted as running."""

    assignments: list[list[Assignment]]
    fresh_seqs: set[int]


class _Line:
    """The queued tasks of one class in order: stored ones, and fresh ones that are only being submitted."""

    def __init__(
        self, tx: Transaction, class_id: int, fresh: Iterable[StoredTask], expected: int, *, is_stored: bool
    ) -> None:
        self.class_id = class_id
        self._tx = tx
        self._fresh = deque(fresh)
        self._stored: deque[StoredTask] = deque()
        self._behind: tuple[int, int] | None = None
        self._is_read = not is_stored
        self._piece = min(max(expected, READ_MIN), READ_MAX)

    def head(self) -> StoredTask | None:
        """Give the task that is next."""
        if not self._stored and not self._is_read:
            self._read()
        if not self._stored:
            return self._fresh[0] if self._fresh else None
        stored = self._stored[0]
        if self._fresh and (self._fresh[0].rank, self._fresh[0].seq) < (stored.rank, stored.seq):
            return self._fresh[0]
        return stored

    def pop(self, task: StoredTask) -> bool:
        """Take the head away; tell whether it was a fresh one."""
        if self._fresh and self._fresh[0] is task:
            self._fresh.popleft()
            return True
        self._stored.popleft()
        return False

    def _read(self) -> None:
        condition, values = "class_id = ? AND state = 1", [self.class_id]
        if self._behind is not None:
            condition += " AND (rank, tasks.seq) > (?, ?)"
            values += self._behind
        order = "rank, tasks.seq LIMIT ?"
        found = rows.select_ordered(self._tx.connection, condition, order, [*values, self._piece], payload=True)
        self._is_read = len(found) < self._piece
        self._piece = READ_MAX
        if found:
            self._behind = (found[-1].rank, found[-1].seq)
        self._stored.extend(found)


class _Lines:
    """The lines that one set of classes gives, merged by urgency. Several of these may share lines."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._lines = {line.class_id: line for line in lines}
        for line in lines:
            self._push(line)

    def next(self) -> tuple[StoredTask, bool] | None:
        """Take the most urgent task, and whether it is fresh; None if there is none."""
        while self._heap:
            _, seq, class_id = heapq.heappop(self._heap)
            line = self._lines[class_id]
            task = line.head()
            if task is None:
                continue
            is_current = task.seq == seq
            is_fresh = is_current and line.pop(task)
            self._push(line)
            if is_current:
                return task, is_fresh
            # Another set of classes took it since; the new head is in the heap now.
        return None

    def _push(self, line: _Line) -> None:
        head = line.head()
        if head is not None:
            heapq.heappush(self._heap, (head.rank, head.seq, line.class_id))


class _Deal:
    """One filling of offers under way."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.taken: list[Taken] = []
        self.fresh_seqs: set[int] = set()
        self._past: list[StoredTask] = []
        self._crowded: list[StoredTask] = []
        self._bytes = 0

    def fill(self, seats: Iterable[tuple[Seat, _Lines]], payloads: Mapping[int, bytes]) -> None:
        """Let the offers take turns until all are full or nothing is left."""
        turns = deque(seats)
        while turns and self._bytes < ASSIGNED_BYTES_MAX:
            seat, lines = turns.popleft()
            found = self._next(lines)
            if found is None:
                continue
            task, is_fresh = found
            payload = payloads[task.seq] if is_fresh else rows.payload_of(self._tx.connection, task)
            self._take(seat, task, payload)
            if is_fresh:
                self.fresh_seqs.add(task.seq)
            if seat.left > 0 and seat.bytes_left > 0:
                turns.append((seat, lines))

    def write(self) -> None:
        """Write what was decided about stored tasks."""
        tx = self._tx
        started_at = tx.now.wall_s
        assigned = [
            (item.task.seq, item.task.attempt, item.task.node_id, item.task.instance_id, started_at)
            for item in self.taken
            if item.task.seq not in self.fresh_seqs
        ]
        bulk.update(
            tx.connection,
            "tasks",
            "seq",
            "state = 2, held = 1, attempt = column2, node_id = column3, instance_id = column4, started_at = column5",
            assigned,
        )
        for item in self.taken:
            if item.task.seq not in self.fresh_seqs:
                tx.recount(QUEUED, RUNNING)
                tx.queued.pop(item.task.seq, None)
                tx.note_wait(item.task, item.task.submitted_at)
            else:
                tx.note_wait(item.task, started_at)
            tx.task_event(item.task, TaskState.RUNNING)
        keys.park(tx, self._crowded)
        expire_all(tx, self._past)

    def _next(self, lines: _Lines) -> tuple[StoredTask, bool] | None:
        """Take the next task that may start now; put aside those that may not."""
        while (found := lines.next()) is not None:
            task, _ = found
            key = task.key
            if task.deadline_at is not None and task.deadline_at <= self._tx.now.wall_s:
                self._past.append(task)
            elif key is None:
                return found
            elif keys.holders(self._tx, key) >= task.options.concurrency_limit:
                self._crowded.append(task)
            else:
                keys.hold(self._tx, key)
                return found
        return None

    def _take(self, seat: Seat, task: StoredTask, payload: bytes) -> None:
        seat.left -= 1
        seat.bytes_left -= len(payload)
        task.code = RUNNING
        task.held = 1
        task.attempt += 1
        task.node_id = seat.offer.profile.node_id
        task.instance_id = seat.offer.instance_id
        self.taken.append(Taken(seat.operation, task, payload))
        self._bytes += len(payload)


def deal(
    tx: Transaction,
    offers: Sequence[Sequence[Offer]],
    fresh: Mapping[int, Sequence[StoredTask]] | None = None,
    payloads: Mapping[int, bytes] | None = None,
) -> Dealt:
    """Fill the offers of several operations.

    Args:
        tx: the transaction.
        offers: the offers of each operation.
        fresh: tasks that are being submitted, by class, in order. They have no key, no deadline that has passed, and
            are not stored; those that find a slot are marked as running, and the caller inserts them so.
        payloads: of the fresh tasks, by ``seq``.

    Returns:
        The assignments of each operation, and which fresh tasks found a slot.
    """
    seats = [
        Seat(number, offer, offer.free, offer.bytes_max)
        for number, group in enumerate(offers)
        for offer in group
        if offer.free > 0
    ]
    dealt = Dealt([[] for _ in offers], set())
    if not seats:
        return dealt
    work = _Deal(tx)
    work.fill(_seated(tx, seats, fresh or {}), payloads or {})
    work.write()
    for item in work.taken:
        name = tx.classes.get(item.task.class_id).name
        dealt.assignments[item.operation].append(rows.assignment_of(item.task, name, item.payload))
    dealt.fresh_seqs.update(work.fresh_seqs)
    return dealt


def expire_all(tx: Transaction, tasks: Iterable[StoredTask]) -> int:
    """Expire stored tasks whose deadline has passed; give how many."""
    changes = ((task, expire(rows.row_of(task))) for task in tasks)
    settled = [Settled(task, change) for task, change in changes if change is not None]
    settling.write(tx, settled)
    return len(settled)


def _seated(
    tx: Transaction, seats: Sequence[Seat], fresh: Mapping[int, Sequence[StoredTask]]
) -> list[tuple[Seat, _Lines]]:
    """Give each seat the lines that it can serve; seats that can serve the same share them."""
    # Where nothing is queued, as where tasks come one at a time, there is nothing to be looked up.
    is_stored = tx.ledger.counts[QUEUED] > 0
    unaimed = queued_unaimed(tx.connection) if is_stored else []
    stored = set(unaimed)
    unaimed += [class_id for class_id in fresh if class_id > 0 and class_id not in stored]
    slots = sum(seat.left for seat in seats)
    lines: dict[int, _Line] = {}
    merged: dict[tuple[int, ...], _Lines] = {}
    seated = []
    for seat in seats:
        aimed = (
            tx.classes.aimed_at(seat.offer.profile) if is_stored else [class_id for class_id in fresh if class_id < 0]
        )
        served = _served(tx, seat.offer, [*unaimed, *aimed])
        if served not in merged:
            for class_id in served:
                if class_id not in lines:
                    # Among many classes each is asked for its share first.
                    expected = slots // len(served) + 1
                    lines[class_id] = _Line(tx, class_id, fresh.get(class_id, ()), expected, is_stored=is_stored)
            merged[served] = _Lines([lines[class_id] for class_id in served])
        seated.append((seat, merged[served]))
    return seated


def _served(tx: Transaction, offer: Offer, candidates: Sequence[int]) -> tuple[int, ...]:
    return tuple(class_id for class_id in candidates if can_serve(offer.profile, tx.classes.get(class_id)))
