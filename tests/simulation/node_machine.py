"""A machine with a node on it: the process comes and goes, its state folder stays.

The process is the real core. The executor, the outbox's writer thread and the dialer are events here, with the same
order of things as in the real shell, and a place to be killed at between any two of them.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from node.decisions import effects as does
from node.decisions.core import NodeCore, Profile
from node.decisions.effects import Ended
from protocol.codec import encode_messages, hub_frames_decoder
from protocol.frames import AttemptKey, Bye, Heartbeat, NodeFrame, Outcome, Result, Task, TaskError
from tests.simulation.agenda import Agenda, Trace
from tests.simulation.facts import BrokenError, Run
from tests.simulation.network import DIAL_WITHIN_S, Accepted, Closed, Item, Line, Network, Rejected
from tests.simulation.node_disk import News, NodeDisk, OutboxWriter, Work
from tests.simulation.process import Process
from tests.simulation.truth import Truth
from tests.simulation.words import said

# The real shell wakes its core at least this often.
TICK_EVERY_S = 1.0

# The longest pause between dials that is promised once a hub has named its spread, and before (docs/explanation).
PAUSE_S_MAX = 5.0
PAUSE_UNTOLD_S_MAX = 30.0
RETRY_AFTER_S_MAX = 60.0 * 1.2

_decode = hub_frames_decoder().decode


class NodeProcess(Process):
    """One run of a node.

    Args:
        find_hub: gives the hub's process that listens, if any.
        work: what each task's handler does.
        on_exit: called when it has ended by itself.
    """

    def __init__(
        self,
        disk: NodeDisk,
        truth: Truth,
        network: Network,
        find_hub: Callable[[], Process | None],
        work: Callable[[str], Work],
        agenda: Agenda,
        trace: Trace,
        luck: random.Random,
        core: type[NodeCore] = NodeCore,
    ) -> None:
        disk.starts += 1
        self.instance_id = f"{disk.name}.{disk.starts}"
        super().__init__(self.instance_id, agenda, trace, luck)
        self.disk = disk
        self.truth = truth
        self.network = network
        self._find_hub = find_hub
        self._work = work
        profile = Profile(
            node_id=disk.node_id,
            instance_id=self.instance_id,
            hubs=["hub"],
            slots=disk.slots,
            handlers=("work",),
            predecessors=list(disk.journal),
        )
        # The id is on the disk before anything else happens.
        disk.journal.append(self.instance_id)
        self.core = core(profile, luck=luck.random, results=list(disk.outbox.values()))
        self.line: Line | None = None
        self.is_drained = False
        self._dials = 0
        self._has_met_a_hub = False
        self._has_decided = True
        self._retry_after_s: float | None = None
        self._tick_at_s = float("inf")
        self._handlers: dict[AttemptKey, float] = {}
        self._stopping: set[AttemptKey] = set()
        self._outbox = OutboxWriter(self, disk, truth, self._tell)
        self._mail: deque[Callable[[], None]] = deque()

    @property
    def now_s(self) -> float:
        """The machine's steady clock."""
        return self.disk.clock_ahead_s + self.agenda.now_s * self.disk.clock_rate

    def begin(self) -> None:
        """Begin to dial."""
        self._apply(self.core.begin())

    def die(self) -> None:
        """The process is gone, its handlers with it; the system closes its socket."""
        if not self.is_alive:
            return
        super().die()
        self.truth.die(self.instance_id)
        self.truth.left(self.disk.name)
        if self.line is not None:
            self.line.leave(self.line.to_hub, self.line.to_node)

    def stand_still(self, seconds: float) -> None:
        """Stop it (SIGSTOP), its handlers too."""
        super().stand_still(seconds)
        self._has_decided = False
        self.truth.stand_still(self.disk.name)

    def woke(self) -> bool:
        """Something was done after a standstill; what the outbox's thread does is not the core's first word."""
        if self._has_decided:
            self.truth.woke(self.disk.name)
        return self._has_decided

    def drain(self, *, stop_handlers: bool) -> None:
        """The machine's supervisor asks it to leave."""
        self.step("drain")
        if stop_handlers:
            self._apply(self.core.stop_handlers("asked", self.now_s))
        else:
            self._apply(self.core.drain("asked", self.now_s))

    # --- effects ------------------------------------------------------------------------------------------------------

    def _apply(self, effects: Sequence[does.Effect]) -> None:
        """Carry out effects in order; the process may be killed between any two of them."""
        for effect in effects:
            match effect:
                case does.Dial():
                    self._plan_dial(effect)
                case does.Send():
                    self._send(effect)
                case does.Close():
                    self._leave_line(effect.code, effect.reason)
                case does.Joined():
                    self._join(effect)
                case does.Start():
                    for task in effect.tasks:
                        self._start(task)
                case does.Stop():
                    self._stop(effect.key, effect.reason)
                case does.Store():
                    self._outbox.store(effect.results)
                case does.Forget():
                    self._outbox.forget(effect.keys)
                case does.Exit():
                    self._exit(effect)
        self._has_decided = True
        self._check_bounds()
        self._plan_tick()

    def _check_bounds(self) -> None:
        inventory = self.core.inventory
        held = len(inventory.running) + len(inventory.results)
        # What the hub gave up may still be here until the next connect, while it pushes into the same slots.
        if held > 4 * self.disk.slots:
            raise BrokenError("queues are bounded", f"{self.name} holds {held} attempts in {self.disk.slots} slots")

    def _plan_tick(self) -> None:
        wait_s = max(0.0, self.core.wake_at_s() - self.now_s)
        at_s = self.agenda.now_s + min(wait_s, TICK_EVERY_S) + 0.001
        if at_s < self._tick_at_s or self._tick_at_s <= self.agenda.now_s:
            self._tick_at_s = at_s
            self.agenda.at(at_s, partial(self.run, partial(self._tick, at_s)))

    def _tick(self, planned_s: float) -> None:
        if planned_s == self._tick_at_s:
            self._tick_at_s = float("inf")
            self._apply(self.core.tick(self.now_s))

    def _join(self, joined: does.Joined) -> None:
        self.step(f"joined session {joined.session_id}")
        self._has_met_a_hub = True
        self.truth.joined(self.disk.name)
        if not joined.is_resumed:
            self.disk.journal[:] = [self.instance_id]

    def _exit(self, leaving: does.Exit) -> None:
        self.step(f"exit {leaving.code}: {leaving.reason}")
        if leaving.code == 0 and self._handlers:
            raise BrokenError("a drain waits", f"{self.name} left with {len(self._handlers)} handlers running")
        self.is_drained = True
        self.die()

    # --- handlers -----------------------------------------------------------------------------------------------------

    def _start(self, task: Task) -> None:
        key = (task.task_id, task.attempt)
        self.step(f"start {key[0]}/{key[1]}")
        work = self._work(task.task_id)
        run = Run(
            key=key,
            machine=self.disk.name,
            instance_id=self.instance_id,
            can_stop=work.can_stop,
            began_s=self.agenda.now_s,
        )
        is_failure = self.truth.count_runs(task.task_id) < work.failures
        self.truth.start(run)
        if len(self._handlers) >= self.disk.slots:
            raise BrokenError("queues are bounded", f"{self.name} runs more than its {self.disk.slots} slots")
        self._handlers[key] = self.now_s
        outcome: Outcome = "failed" if is_failure else "succeeded"
        self.after(work.duration_s, lambda: self._end(key, outcome, work))

    def _stop(self, key: AttemptKey, reason: str) -> None:
        self.step(f"stop {key[0]}/{key[1]}: {reason}")
        self.truth.tell_to_stop(key, self.instance_id)
        if key not in self._handlers:
            return
        self._stopping.add(key)
        work = self._work(key[0])
        if work.can_stop:
            self.after(work.stop_s, lambda: self._end(key, "cancelled", work))

    def _end(self, key: AttemptKey, outcome: Outcome, work: Work) -> None:
        """A handler ends, on its own thread; the loop hears of it some time later."""
        began_s = self._handlers.pop(key, None)
        if began_s is None:
            return
        self.trace.note(self.name, f"handler of {key[0]}/{key[1]} ends: {outcome}")
        self.truth.end(key, self.instance_id, outcome)
        error = (
            TaskError(kind="error", message="it failed", retryable=work.is_retryable) if outcome == "failed" else None
        )
        ended = Ended(
            key=key,
            outcome=outcome,
            value=b'"done"' if outcome == "succeeded" else b"",
            error=error,
            started_s=began_s,
            ended_s=self.now_s,
        )
        self._post(lambda: self._apply(self.core.ended([ended], self.now_s)))

    def _tell(self, news: News) -> None:
        """Have the core told what the outbox has to say."""
        self._post(lambda: self._apply(news(self.core, self.now_s)))

    def _post(self, action: Callable[[], None]) -> None:
        """Have the loop do this some time soon, in the order in which it was posted."""
        self._mail.append(action)
        self.soon(lambda: self._mail.popleft()())  # noqa: PLW0108 - which is the next one is known only then

    # --- the line -----------------------------------------------------------------------------------------------------

    def _plan_dial(self, dial: does.Dial) -> None:
        self.step(f"dial in {dial.after_s:.2f} s: {dial.reason}")
        self._check_pause(dial)
        self._dials += 1
        number = self._dials
        self.after(dial.after_s / self.disk.clock_rate, lambda: self._dial(number))

    def _check_pause(self, dial: does.Dial) -> None:
        """A node is back within its pause; a hub that refuses names a longer one."""
        if dial.is_parked:
            raise BrokenError("nodes speak the protocol", f"{self.name} is parked: {dial.reason}")
        longest_s = PAUSE_S_MAX if self._has_met_a_hub else PAUSE_UNTOLD_S_MAX
        if dial.reason.startswith("refused (") or self._retry_after_s is not None:
            longest_s = RETRY_AFTER_S_MAX
        if dial.after_s > longest_s:
            raise BrokenError("nodes are back in time", f"{self.name} waits {dial.after_s:.1f} s after: {dial.reason}")

    def _dial(self, number: int) -> None:
        if number != self._dials:
            return
        hub = self._find_hub()
        line = self.network.dial(self.disk.node_id, self, self, hub)  # type: ignore[arg-type]
        if line is None or hub is None:
            # Refused at once, or nobody answers for a while.
            wait_s = self.luck.choice((0.001, 0.001, 3.0))
            self.after(wait_s, lambda: self._fail_dial(number, "no answer", None))
            return
        self.line = line
        self.agenda.after(self.network.fast_s(), lambda: hub.run(lambda: hub.take_dial(line)))  # type: ignore[attr-defined]
        self.after(DIAL_WITHIN_S, lambda: self._give_up(line, number))

    def _give_up(self, line: Line, number: int) -> None:
        if not line.is_answered:
            line.is_answered = True
            line.to_hub.send(Closed(1006, "the handshake took too long"))
            self.line = None
            self._fail_dial(number, "timeout", None)

    def _fail_dial(self, number: int, reason: str, retry_after_s: float | None) -> None:
        if number == self._dials:
            self._retry_after_s = retry_after_s
            self._apply(self.core.dial_failed(reason, self.now_s, retry_after_s=retry_after_s))
            self._retry_after_s = None

    def take(self, line: Line, item: Item) -> None:
        """Something came on a line. What comes on one that was left reaches the core too, as in the real shell."""
        match item:
            case Accepted() | Rejected() if line.is_answered:
                return
            case Accepted():
                line.is_answered = True
                self._apply(self.core.connected(line.number, self.now_s, hub_instance=item.hub_instance))
            case Rejected():
                line.is_answered = True
                self.line = None
                self._fail_dial(self._dials, "503", item.retry_after_s)
            case Closed():
                self._take_end(line, item)
            case bytes():
                frames = _decode(item)
                if self.trace.is_kept:
                    self.trace.note(self.name, f"reads on line {line.number}: {said(frames)}")
                self._apply(self.core.received(line.number, frames, self.now_s))

    def _take_end(self, line: Line, closed: Closed) -> None:
        if not line.is_answered:
            line.is_answered = True
            self.line = None
            self._fail_dial(self._dials, closed.reason, None)
            return
        self.step(f"line {line.number} ended: {closed.code} {closed.reason}")
        line.to_hub.send(Closed(closed.code, closed.reason))
        if self.line is line:
            self.line = None
            self.truth.left(self.disk.name)
        self._apply(self.core.disconnected(line.number, closed.code, closed.reason, self.now_s))

    def _leave_line(self, code: int, reason: str) -> None:
        line, self.line = self.line, None
        self.truth.left(self.disk.name)
        if line is None:
            return
        self.step(f"close line {line.number}: {code} {reason}")
        line.to_hub.send(Closed(code, reason))
        # The closing handshake takes its time; what still comes until then is read and told.
        self.soon(lambda: self._apply(self.core.disconnected(line.number, code, reason, self.now_s)), 1.0)

    def _send(self, effect: does.Send) -> None:
        line = self.line
        if line is None or line.number != effect.connection:
            return
        self.step(f"send {said(effect.frames)}" if self.trace.is_kept else "send")
        if any(isinstance(frame, Bye) for frame in effect.frames):
            self.truth.leave(self.instance_id)
        for message in encode_messages(self._repeat(effect.frames)):
            line.to_hub.send(message)

    def _repeat(self, frames: Sequence[NodeFrame]) -> Sequence[NodeFrame]:
        """Add results that were said before, whatever their attempts have come to since."""
        disk = self.disk
        results = [frame for frame in frames if isinstance(frame, Result)]
        disk.said += results
        if not disk.repeats or not disk.said or not any(isinstance(frame, Heartbeat | Result) for frame in frames):
            return frames
        return [*frames, *(self.luck.choice(disk.said) for _ in range(2))]
