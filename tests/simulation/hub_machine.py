"""A machine with a hub on it: the process comes and goes, its database stays.

The process is the real core over the real store. What the real shell does with threads and sockets is done here with
events: a writer that takes what has piled up and tries again while the disk is full, follow-ups that reach the core
some time after their commit, frames that leave some time after they were put.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from hub.decisions import effects as does
from hub.decisions.admission import Admission
from hub.decisions.core import HubCore
from hub.decisions.core_state import CoreSettings
from hub.decisions.timetable import STOOD_STILL_S
from hub.store.assignments import Assignment, Claimed
from hub.store.attempts import Record, Recorded, Release, Released
from hub.store.contract import Committed, Operation
from hub.store.errors import StoreUnavailableError
from hub.store.nodes import HubStarted, Inherited
from hub.store.now import Now
from hub.store.sqlite.store import SqliteStore
from hub.store.submissions import Submitted
from hub.store.writer import OPERATIONS_MAX, RETRY_MAX_S, RETRY_MIN_S
from protocol.codec import encode_messages, node_frames_decoder
from protocol.errors import ProtocolError
from protocol.frames import Ack, Frame, Registered, Resumed, Task
from tests.simulation.agenda import Agenda, Trace
from tests.simulation.facts import BrokenError
from tests.simulation.network import CLOSE_WITHIN_S, Accepted, Closed, Item, Line, Rejected
from tests.simulation.process import Process
from tests.simulation.truth import Truth
from tests.simulation.words import said

# What one queue of the hub may hold here; no seed submits or answers as much as this.
PENDING_MAX = 400

# The real hub ticks twice a second; a tick costs a commit, and nothing here hangs on so little.
TICK_S_MAX = 2.0

# How long what was put to be sent may wait for a node that reads slowly, and how often that happens.
SLOW_READ_S = 3.0
SLOW_READS = 0.3

# How long a hub that is told to end goes on committing, as the real one does.
STOP_GRACE_S = 2.0

_decode = node_frames_decoder().decode


class HubDisk:
    """What outlives the process: the database, and how full its disk is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.full_until_s = 0.0
        self.wall_ahead_s = 0.0


class Parts:
    """What a hub's process is made of; a broken rule replaces some of it."""

    core: type[HubCore] = HubCore
    store: type[SqliteStore] = SqliteStore


class Door:
    """One connection as the hub's gateway sees it."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.waiting: list[Frame] = []
        self.is_flushing = False
        self.is_marked = False
        self.is_open = False
        self.is_read = True
        self.unread: list[Item] = []
        self.greeted_s = 0.0
        self.closing: Closed | None = None


class HubProcess(Process):
    """One run of the hub."""

    def __init__(
        self,
        name: str,
        disk: HubDisk,
        truth: Truth,
        settings: CoreSettings,
        agenda: Agenda,
        trace: Trace,
        luck: random.Random,
        parts: type[Parts] = Parts,
    ) -> None:
        super().__init__(name, agenda, trace, luck)
        self.disk = disk
        self.truth = truth
        self.store = parts.store.open(disk.path, durability="normal")
        self._names = 0
        self.core = parts.core(settings, new_id=self._new_id, luck=luck.random)
        self._admission = Admission(settings.admissions_per_s)
        self._hub_id = settings.hub_id
        self._backlog_bytes_max = settings.backlog_bytes_max
        self._doors: dict[int, Door] = {}
        self._newest: dict[str, int] = {}
        self._told: deque[Callable[[], None]] = deque()
        self._pending: deque[tuple[Operation, does.Ticket]] = deque()
        self._batch: list[tuple[Operation, does.Ticket]] = []
        self._is_committing = False
        self._is_degraded = False
        self._pause_s = RETRY_MIN_S
        self._silent_s: dict[str, float] = {}
        self._calls: dict[int, Callable[[object], None]] = {}
        self._last_call = 0
        self.is_listening = False
        self.is_stopping = False

    def _new_id(self) -> str:
        self._names += 1
        return f"{self.name}.s{self._names}"

    @property
    def now(self) -> Now:
        """Both clocks of the hub's machine."""
        return Now(self.agenda.now_s + self.disk.wall_ahead_s, self.agenda.now_s)

    @property
    def pending(self) -> int:
        """How many operations are not committed yet."""
        return len(self._pending) + len(self._batch)

    # --- beginning and ending -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take over what the store holds, then listen."""
        if self.agenda.now_s < self.disk.full_until_s:
            # The real one waits for its first commit, too.
            self.after(0.5, self.begin)
            return
        self.step("commit HubStarted")
        committed = self.store.execute([HubStarted(hub_id=self._hub_id)], self.now)
        self.step("committed HubStarted")
        (inherited,) = committed.answers
        if not isinstance(inherited, Inherited):
            raise BrokenError("the store answers", repr(inherited))
        # Whoever followed the events before goes on where it was.
        self.truth.follow(self.store.events(self.truth.last_event_id, 100_000).events)
        self.truth.hub_began()
        self.core.started(inherited, self.now)
        self.is_listening = True
        self._tick()

    def stop(self) -> None:
        """End in good order (SIGTERM)."""
        if self.is_stopping:
            return
        self.step("stop")
        self.is_stopping = True
        self._apply(self.core.stop())
        self._end_by(self.agenda.now_s + STOP_GRACE_S)

    def _end_by(self, until_s: float) -> None:
        if self.pending and self.agenda.now_s < until_s:
            self.after(0.1, lambda: self._end_by(until_s))
            return
        for number in list(self._doors):
            self._close(number, 1012, "the hub stops")
        self.after(0.3, self.die)

    def die(self) -> None:
        """The process is gone; the system closes its sockets."""
        if not self.is_alive:
            return
        super().die()
        self.store.close()
        for door in self._doors.values():
            door.line.leave(door.line.to_node, door.line.to_hub)

    def woke(self) -> bool:
        """A standstill is over: what was said meanwhile lies unread. A short one is within every lease's margin."""
        if self.stood_still_s >= STOOD_STILL_S:
            self.truth.renewed()
        return True

    def _tick(self) -> None:
        self._apply(self.core.tick(self.now))
        self.after(min(TICK_S_MAX, max(0.05, self.core.wake_at_s() - self.agenda.now_s)), self._tick)

    # --- effects ------------------------------------------------------------------------------------------------------

    def _apply(self, effects: Sequence[does.Effect]) -> None:
        """Carry out effects in order; the process may be killed between any two of them."""
        for effect in effects:
            match effect:
                case does.Persist():
                    self._put(effect.operation, effect.ticket)
                case does.Send():
                    self._send(effect.connection, effect.frames)
                case does.Mark():
                    self._mark(effect.connection)
                case does.StopReading():
                    self._stop_reading(effect.connection)
                case does.ReadOn():
                    self._read_on(effect.connection)
                case does.Close():
                    self._close(effect.connection, effect.code, effect.reason)
                case does.Reply():
                    self._reply(effect)
                case does.Alarm():
                    self.trace.note(self.name, f"alarm {effect.kind}: {effect.message}")
                case _:
                    pass

    def _reply(self, effect: does.Reply) -> None:
        answer = self._calls.pop(effect.request, None)
        if answer is not None:
            self.step(f"reply to call {effect.request}: {type(effect.answer).__name__}")
            answer(effect.answer)

    # --- the writer ---------------------------------------------------------------------------------------------------

    def _put(self, operation: Operation, ticket: does.Ticket) -> None:
        if isinstance(operation, Release):
            # What counts is the silence when the lease was found to have run out; a full disk may delay the commit.
            for silence in operation.silences:
                self._silent_s[silence.instance_id] = self.truth.silent_s(silence.instance_id)
        self._pending.append((operation, ticket))
        if len(self._pending) > PENDING_MAX:
            raise BrokenError("queues are bounded", f"{len(self._pending)} operations wait for the store")
        if not self._is_committing:
            self._is_committing = True
            self.soon(self._commit)

    def _commit(self) -> None:
        """Commit what has piled up, or try the same again."""
        while self._pending and len(self._batch) < OPERATIONS_MAX and self._pause_s == RETRY_MIN_S:
            self._batch.append(self._pending.popleft())
        operations = [operation for operation, _ in self._batch]
        self.step("commit " + " ".join(type(operation).__name__ for operation in operations))
        try:
            committed = self._execute(operations)
        except StoreUnavailableError as error:
            self._fail(str(error))
            return
        self._note(operations, committed)
        self.step("committed")
        if self._is_degraded:
            self._is_degraded = False
            self.truth.renewed()
            self._tell(lambda: self._apply(self.core.store_recovered(self.now)))
        done = list(zip((ticket for _, ticket in self._batch), committed.answers, strict=True))
        self._tell(lambda: self._follow(done, committed))
        self._batch = []
        self._pause_s = RETRY_MIN_S
        self._is_committing = bool(self._pending)
        if self._pending:
            self.soon(self._commit)

    def _execute(self, operations: list[Operation]) -> Committed:
        if self.agenda.now_s < self.disk.full_until_s:
            raise StoreUnavailableError("no space for the database")
        return self.store.execute(operations, self.now)

    def _fail(self, reason: str) -> None:
        self.trace.note(self.name, "the commit failed")
        if not self._is_degraded:
            self._is_degraded = True
            self._tell(lambda: self._apply(self.core.store_degraded(reason)))
        self.after(self._pause_s, self._commit)
        self._pause_s = min(2 * self._pause_s, RETRY_MAX_S)

    def _tell(self, action: Callable[[], None]) -> None:
        """Have the loop do this some time soon, in the order in which it was told."""
        self._told.append(action)
        self.soon(lambda: self._told.popleft()())  # noqa: PLW0108 - which is the next one is known only then

    def _follow(self, done: list[tuple[does.Ticket, object]], committed: Committed) -> None:
        self.truth.follow(committed.events)
        self._apply(self.core.committed(done, committed.waiting, self.now))

    def _note(self, operations: Sequence[Operation], committed: Committed) -> None:
        """Let the truth see what was committed."""
        for operation, answer in zip(operations, committed.answers, strict=True):
            if isinstance(answer, Exception):
                raise BrokenError("the store answers", f"{type(operation).__name__}: {answer!r}")
            match operation, answer:
                case Record(), Recorded():
                    keys = [(result.task_id, result.attempt) for result in operation.results]
                    pairs = zip(keys, answer.verdicts, strict=True)
                    self.truth.settled.update(key for key, verdict in pairs if verdict != "foreign")
                    self._note_assigned(answer.assignments)
                case _, Submitted() | Claimed():
                    self._note_assigned(answer.assignments)
                case _, Released():
                    for row in answer.freed:
                        lease_s = self.truth.tasks[row.task_id].options.lease_s
                        self.truth.free(row.key, self._silent_s.get(row.instance_id, 0.0), lease_s)
                case _:
                    pass

    def _note_assigned(self, assignments: Sequence[Assignment]) -> None:
        for item in assignments:
            self.trace.note(self.name, f"assigned {item.task_id}/{item.attempt} to {item.instance_id}")
            self.truth.assign((item.task_id, item.attempt), item.instance_id)

    # --- the gateway --------------------------------------------------------------------------------------------------

    def take_dial(self, line: Line) -> None:
        """A handshake arrived."""
        if not self.is_listening or self.is_stopping:
            line.to_node.send(Rejected(1.0 if self.is_stopping else None))
            return
        wait_s = self._admission.admit(self.agenda.now_s)
        if wait_s is not None:
            line.to_node.send(Rejected(int(wait_s) + 1.0))
            return
        self._doors[line.number] = Door(line)
        self.core.opened(line.number, None, self.now)
        # A proxy may keep the name from the node.
        line.to_node.send(Accepted(self.name if self.luck.random() < 0.7 else ""))

    def take(self, line: Line, item: Item) -> None:
        """Something came on a line. While that is not read, not even its end is seen."""
        door = self._doors.get(line.number)
        if door is None:
            return
        if not door.is_read:
            door.unread.append(item)
        elif isinstance(item, Closed):
            self._lose(line.number, item.reason)
        elif isinstance(item, bytes):
            self._receive(door, item)

    def _lose(self, number: int, reason: str) -> None:
        if self._doors.pop(number, None) is not None:
            self._apply(self.core.closed(number, reason))

    def _stop_reading(self, number: int) -> None:
        door = self._doors.get(number)
        if door is not None:
            self.step(f"line {number} is not read")
            door.is_read = False

    def _read_on(self, number: int) -> None:
        door = self._doors.get(number)
        if door is not None:
            self.step(f"line {number} is read again")
            door.is_read = True
            self.soon(lambda: self._catch_up(door))

    def _catch_up(self, door: Door) -> None:
        """Take what came while a door was not read, until it is not read once more."""
        unread, door.unread = door.unread, []
        for item in unread:
            self.take(door.line, item)

    def _receive(self, door: Door, message: bytes) -> None:
        line = door.line
        frames = _decode(message)
        if self.trace.is_kept:
            self.trace.note(self.name, f"line {line.number} says {said(frames)}")
        try:
            effects = self.core.received(line.number, frames, self.now)
        except ProtocolError as error:
            raise BrokenError("nodes speak the protocol", f"line {line.number}: {error}") from error
        if door.is_open and door.closing is None:
            self._hear(door, self.agenda.now_s)
        elif not door.is_open:
            door.greeted_s = self.agenda.now_s
        self._apply(effects)

    def _hear(self, door: Door, at_s: float) -> None:
        """Take note that the instance behind this door was heard of, on the newest of its lines only."""
        line = door.line
        instance_id = getattr(line.to_node.reader, "instance_id", "")
        if self._newest.get(instance_id, 0) <= line.number:
            self._newest[instance_id] = line.number
            self.truth.heard(instance_id, at_s)

    def _send(self, number: int, frames: Sequence[Frame]) -> None:
        door = self._doors.get(number)
        if door is None or door.closing is not None:
            return
        self.step(f"send on line {number}: {said(frames)}" if self.trace.is_kept else "send")
        for frame in frames:
            if isinstance(frame, Task):
                self.truth.pushed((frame.task_id, frame.attempt))
            elif isinstance(frame, Registered | Resumed):
                # Who is refused has not been heard of; who is let in has, when it asked.
                door.is_open = True
                self._hear(door, door.greeted_s)
            elif isinstance(frame, Ack):
                for key in frame.attempts:
                    self.truth.acked(key)
        door.waiting += frames
        self._check_backlog(door)
        self._plan_flush(door)

    def _check_backlog(self, door: Door) -> None:
        """Whatever a node's slots are, only so much waits for it: a backlog, and the task that passed it."""
        sizes = [len(bytes(frame.payload)) for frame in door.waiting if isinstance(frame, Task)]
        if sum(sizes[:-1]) >= self._backlog_bytes_max:
            raise BrokenError("queues are bounded", f"{sum(sizes)} bytes wait on line {door.line.number}")

    def _mark(self, number: int) -> None:
        door = self._doors.get(number)
        if door is not None and door.closing is None:
            self.step(f"mark on line {number}")
            door.is_marked = True
            self._plan_flush(door)

    def _plan_flush(self, door: Door) -> None:
        if door.is_flushing:
            return
        door.is_flushing = True
        # Only tasks are so large that they have to wait for room.
        is_slow = any(isinstance(frame, Task) for frame in door.waiting) and self.luck.random() < SLOW_READS
        self.soon(lambda: self._flush(door), SLOW_READ_S if is_slow else 0.002)

    def _flush(self, door: Door) -> None:
        """Let what waits leave, in as few messages as it fits into."""
        door.is_flushing = False
        frames, door.waiting = door.waiting, []
        for message in encode_messages(frames):
            door.line.to_node.send(message)
        if door.is_marked:
            door.is_marked = False
            number = door.line.number
            self.soon(lambda: self._tell_mark(number))
        if door.closing is not None:
            door.line.to_node.send(door.closing)
            # Without the other side's word the socket is dropped; what it still says until then is read.
            self.after(CLOSE_WITHIN_S, lambda: self._lose(door.line.number, "closed"))

    def _tell_mark(self, number: int) -> None:
        self.step(f"what was marked on line {number} has left")
        self._apply(self.core.mark_left(number))

    def _close(self, number: int, code: int, reason: str) -> None:
        door = self._doors.get(number)
        if door is None or door.closing is not None:
            return
        self.step(f"close line {number}: {code} {reason}")
        door.closing = Closed(code, reason)
        self._plan_flush(door)

    # --- the API ------------------------------------------------------------------------------------------------------

    def call(self, ask: Callable[[HubCore, int, Now], Sequence[does.Effect]], answer: Callable[[object], None]) -> bool:
        """Carry out a call; ``answer`` is told what it came to, if it comes to anything. False if it is refused."""
        if not self.is_alive or not self.is_listening or self.is_stopping or self.core.degraded is not None:
            return False
        self._last_call += 1
        self._calls[self._last_call] = answer
        self._apply(ask(self.core, self._last_call, self.now))
        return True

    def disconnect(self, node_id: str) -> None:
        """An operator closes a node's connection."""
        self._apply(self.core.disconnect(node_id))
