"""One hub, several nodes and a network, all real but the network, the clock and the crashes.

The hub is its real core over the real store; the nodes are their real core. Frames travel as the bytes that the codec
makes. Each step is one thing that can happen next (a commit, a message arriving, a handler's end, a crash); whoever
drives the world picks the order. What was committed and what is in an outbox survives a crash, everything else is gone.

Ground truth stands apart from both sides: which attempt was started by which instance, and what clients were told.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from hub.decisions import effects as hub_does
from hub.decisions.core import HubCore
from hub.decisions.core_state import CoreSettings
from hub.decisions.lifecycle import FINAL
from hub.store.attempts import Released
from hub.store.contract import Operation
from hub.store.nodes import HubStarted, Inherited
from hub.store.now import Now
from hub.store.sqlite.store import SqliteStore
from hub.store.submissions import Submitted
from hub.store.task_views import TaskView
from hub.store.tasks import NewTask, TaskOptions
from hub.store.wishes import Cancelled
from node.decisions import effects as node_does
from node.decisions.core import NodeCore, Profile
from protocol.codec import encode_messages, hub_frames_decoder, node_frames_decoder
from protocol.frames import AttemptKey, Outcome

HANDLERS = ("work",)
LEASE_S = 60.0

# Two of the payloads here: some pushes wait.
BACKLOG_BYTES_MAX = 4


class Wire:
    """A connection: bytes on their way in both directions, and which end still believes in it."""

    def __init__(self, number: int, node_id: str) -> None:
        self.number = number
        self.node_id = node_id
        self.to_hub: deque[bytes] = deque()
        self.to_node: deque[bytes] = deque()
        self.is_cut = False
        self.is_marked = False
        self.hub_has_it = True
        self.node_has_it = True


class NodeMachine:
    """A machine with a node on it: the process comes and goes, its state folder stays."""

    def __init__(self, node_id: str, slots: int) -> None:
        self.node_id = node_id
        self.slots = slots
        self.starts = 0
        self.core: NodeCore | None = None
        self.wire: Wire | None = None
        self.dial_at_s: float | None = None
        self.running: dict[AttemptKey, bool] = {}
        """Handlers that run, and whether they were told to stop."""
        self.unwritten: deque[node_does.Store] = deque()
        # On disk:
        self.outbox: dict[AttemptKey, node_does.Finished] = {}
        self.journal: list[str] = []

    @property
    def instance_id(self) -> str:
        return f"{self.node_id}.{self.starts}"


class World:
    """Everything, and the steps that can be taken."""

    def __init__(self, folder: Path, seed: int, nodes: int = 2, slots: int = 2) -> None:
        self.luck = random.Random(seed)
        self.now_s = 1000.0
        self._path = folder / "hub.db"
        self._numbers = iter(range(1, 1_000_000))
        self.machines = {f"n{number}": NodeMachine(f"n{number}", slots) for number in range(nodes)}
        self.wires: dict[int, Wire] = {}
        self.hub: HubCore | None = None
        self.store: SqliteStore | None = None
        self.pending: deque[tuple[Operation, hub_does.Ticket]] = deque()
        # Ground truth:
        self.starts: Counter[AttemptKey] = Counter()
        self.started_by: dict[AttemptKey, str] = {}
        self.died: set[str] = set()
        self.ends: dict[AttemptKey, Outcome] = {}
        self.freed: set[AttemptKey] = set()
        self.heard_s: dict[str, float] = {}
        self.hub_started_s = self.now_s
        self.accepted: dict[str, TaskOptions] = {}
        self.asked: dict[int, dict[str, TaskOptions]] = {}
        self.outcomes: dict[str, str] = {}
        self.start_hub()
        for node_id in self.machines:
            self.start_node(node_id)

    @property
    def now(self) -> Now:
        return Now(self.now_s, self.now_s)

    # --- the hub ----------------------------------------------------------------------------------------------------

    def start_hub(self) -> None:
        if self.hub is not None:
            return
        self.store = SqliteStore.open(self._path, durability="normal")
        self.hub = HubCore(
            CoreSettings(hub_id="hub", heartbeat_s=10.0, backlog_bytes_max=BACKLOG_BYTES_MAX),
            new_id=lambda: f"s{next(self._numbers)}",
            luck=self.luck.random,
        )
        (inherited,) = self.store.execute([HubStarted(hub_id="hub")], self.now).answers
        assert isinstance(inherited, Inherited)
        self.hub.started(inherited, self.now)
        self.hub_started_s = self.now_s
        self.heard_s.clear()

    def kill_hub(self) -> None:
        """What was committed stays; what was pending, in memory or on the wire to it is gone."""
        if self.store is None:
            return
        self.store.close()
        self.hub, self.store = None, None
        self.pending.clear()
        self.asked.clear()
        for wire in self.wires.values():
            wire.hub_has_it = False
            wire.is_cut = True

    def commit(self, count: int) -> None:
        if self.hub is None or self.store is None or not self.pending:
            return
        batch = [self.pending.popleft() for _ in range(min(count, len(self.pending)))]
        committed = self.store.execute([operation for operation, _ in batch], self.now)
        for answer in committed.answers:
            assert not isinstance(answer, Exception), answer
            if isinstance(answer, Released):
                self._note_freed(answer)
        done = list(zip((ticket for _, ticket in batch), committed.answers, strict=True))
        self._apply_hub(self.hub.committed(done, committed.waiting, self.now))

    def _note_freed(self, answer: Released) -> None:
        """An attempt is freed by its lease only if nothing was heard of its instance for that long."""
        for row in answer.freed:
            silent_s = self.now_s - self.heard_s.get(row.instance_id, self.hub_started_s)
            assert silent_s > LEASE_S, f"{row.key} was freed after {silent_s} s"
            self.freed.add(row.key)

    def _apply_hub(self, effects: Sequence[hub_does.Effect]) -> None:
        for effect in effects:
            match effect:
                case hub_does.Persist():
                    self.pending.append((effect.operation, effect.ticket))
                case hub_does.Send():
                    wire = self.wires.get(effect.connection)
                    if wire is not None and wire.hub_has_it and not wire.is_cut:
                        wire.to_node.extend(encode_messages(effect.frames))
                case hub_does.Mark():
                    wire = self.wires.get(effect.connection)
                    if wire is not None:
                        wire.is_marked = True
                case hub_does.Close():
                    self._hub_closes(effect.connection)
                case hub_does.Reply():
                    self._take_reply(effect)
                case _:
                    pass

    def _hub_closes(self, number: int) -> None:
        """The close frame travels behind what was sent before it; what comes from the node is read no more."""
        wire = self.wires.get(number)
        if wire is None or not wire.hub_has_it:
            return
        wire.hub_has_it = False
        wire.to_hub.clear()
        if self.hub is not None:
            self._apply_hub(self.hub.closed(number, "closed by the hub"))

    def _take_reply(self, effect: hub_does.Reply) -> None:
        asked = self.asked.pop(effect.request, {})
        assert not isinstance(effect.answer, Exception)
        if isinstance(effect.answer, Submitted):
            self.accepted.update(asked)
        elif isinstance(effect.answer, Cancelled):
            for task_id, state in effect.answer.states:
                if state in FINAL:
                    self._note_outcome(task_id, str(state))

    def _note_outcome(self, task_id: str, state: str) -> None:
        assert self.outcomes.setdefault(task_id, state) == state, f"{task_id}: {self.outcomes[task_id]}, then {state}"

    def submit(self, task_ids: Sequence[str], options: TaskOptions) -> None:
        if self.hub is None:
            return
        tasks = [NewTask(task_id=task_id, name="work", options=options) for task_id in task_ids]
        request = next(self._numbers)
        self.asked[request] = dict.fromkeys(task_ids, options)
        self._apply_hub(self.hub.submit(request, tasks, self.now))

    def cancel(self, task_id: str) -> None:
        if self.hub is not None:
            self._apply_hub(self.hub.cancel(next(self._numbers), [task_id], ""))

    # --- nodes ------------------------------------------------------------------------------------------------------

    def start_node(self, node_id: str) -> None:
        machine = self.machines[node_id]
        if machine.core is not None:
            return
        machine.starts += 1
        profile = Profile(
            node_id=node_id,
            instance_id=machine.instance_id,
            hubs=["hub"],
            slots=machine.slots,
            handlers=HANDLERS,
            predecessors=list(machine.journal),
        )
        machine.journal.append(machine.instance_id)
        machine.core = NodeCore(profile, luck=self.luck.random, results=list(machine.outbox.values()))
        self._apply_node(machine, machine.core.begin())

    def kill_node(self, node_id: str) -> None:
        """The process dies: its handlers with it. The outbox and the journal stay."""
        machine = self.machines[node_id]
        if machine.core is None:
            return
        self.died.add(machine.instance_id)
        machine.core, machine.dial_at_s = None, None
        machine.running.clear()
        machine.unwritten.clear()
        if machine.wire is not None:
            machine.wire.node_has_it, machine.wire.is_cut = False, True
            machine.wire = None

    def drain(self, node_id: str) -> None:
        """The node's supervisor asks it to leave."""
        machine = self.machines[node_id]
        if machine.core is not None:
            self._apply_node(machine, machine.core.drain("asked", self.now_s))

    def finish(self, node_id: str, key: AttemptKey, outcome: Outcome) -> None:
        """A handler ends; one that was told to stop ends as cancelled."""
        machine = self.machines[node_id]
        if machine.core is None or key not in machine.running:
            return
        was_told = machine.running.pop(key)
        end: Outcome = "cancelled" if was_told else outcome
        self.ends[key] = end
        value = b'"done"' if end == "succeeded" else b""
        ended = node_does.Ended(key=key, outcome=end, value=value, started_s=self.now_s, ended_s=self.now_s)
        self._apply_node(machine, machine.core.ended([ended], self.now_s))

    def write_outbox(self, node_id: str) -> None:
        machine = self.machines[node_id]
        if machine.core is None or not machine.unwritten:
            return
        results = machine.unwritten.popleft().results
        machine.outbox.update({finished.key: finished for finished in results})
        self._apply_node(machine, machine.core.stored([finished.key for finished in results], self.now_s))

    def _apply_node(self, machine: NodeMachine, effects: Sequence[node_does.Effect]) -> None:
        for effect in effects:
            match effect:
                case node_does.Dial():
                    machine.dial_at_s = self.now_s + effect.after_s
                case node_does.Send():
                    wire = machine.wire
                    if wire is not None and wire.number == effect.connection and not wire.is_cut:
                        wire.to_hub.extend(encode_messages(effect.frames))
                case node_does.Close():
                    if machine.wire is not None:
                        machine.wire.node_has_it, machine.wire.is_cut = False, True
                        machine.wire = None
                case node_does.Joined():
                    machine.journal[:] = [machine.instance_id]
                case node_does.Start():
                    for task in effect.tasks:
                        self._note_start(machine, (task.task_id, task.attempt))
                case node_does.Stop():
                    if effect.key in machine.running:
                        machine.running[effect.key] = True
                case node_does.Store():
                    machine.unwritten.append(effect)
                case node_does.Forget():
                    for key in effect.keys:
                        machine.outbox.pop(key, None)
                case node_does.Exit():
                    machine.core, machine.dial_at_s = None, None
                    self.died.add(machine.instance_id)
                    assert not machine.running, "a node left before its handlers ended"

    def _note_start(self, machine: NodeMachine, key: AttemptKey) -> None:
        self.starts[key] += 1
        self.started_by[key] = machine.instance_id
        machine.running[key] = False
        assert self.starts[key] == 1, f"attempt {key} started twice"
        assert len(machine.running) <= machine.slots, f"{machine.node_id} runs more than its slots"
        for other in self.machines.values():
            for (task_id, attempt), was_told in other.running.items():
                overlaps = task_id == key[0] and attempt != key[1] and not was_told
                assert not overlaps, (
                    f"{key} starts on {machine.node_id} while attempt {attempt} runs on {other.node_id}"
                )

    # --- the network ------------------------------------------------------------------------------------------------

    def dial(self, node_id: str) -> None:
        """A node's dial comes due."""
        machine = self.machines[node_id]
        if machine.core is None or machine.dial_at_s is None or machine.dial_at_s > self.now_s:
            return
        machine.dial_at_s = None
        if self.hub is None:
            self._apply_node(machine, machine.core.dial_failed("refused", self.now_s))
            return
        wire = Wire(next(self._numbers), node_id)
        self.wires[wire.number] = wire
        machine.wire = wire
        self.hub.opened(wire.number, None, self.now)
        self._apply_node(machine, machine.core.connected(wire.number, self.now_s))

    def deliver_to_hub(self, wire: Wire) -> None:
        if self.hub is None or not wire.hub_has_it or not wire.to_hub:
            return
        frames = node_frames_decoder().decode(wire.to_hub.popleft())
        if wire.node_has_it:
            self.heard_s[self.machines[wire.node_id].instance_id] = self.now_s
        self._apply_hub(self.hub.received(wire.number, frames, self.now))

    def tell_mark(self, wire: Wire) -> None:
        """What was to be sent on a connection has left."""
        if self.hub is not None and wire.is_marked and wire.hub_has_it:
            wire.is_marked = False
            self._apply_hub(self.hub.mark_left(wire.number))

    def deliver_to_node(self, wire: Wire) -> None:
        machine = self.machines[wire.node_id]
        if machine.core is None or not wire.node_has_it or not wire.to_node:
            return
        frames = hub_frames_decoder().decode(wire.to_node.popleft())
        self._apply_node(machine, machine.core.received(wire.number, frames, self.now_s))

    def cut(self, wire: Wire) -> None:
        """What is on the way is lost; neither end has noticed yet."""
        wire.is_cut = True
        wire.to_hub.clear()
        wire.to_node.clear()

    def notice_at_hub(self, wire: Wire) -> None:
        if wire.hub_has_it and wire.is_cut and not wire.to_hub:
            wire.hub_has_it = False
            if self.hub is not None:
                self._apply_hub(self.hub.closed(wire.number, "the connection broke"))

    def notice_at_node(self, wire: Wire) -> None:
        """The node sees the end of a connection once it has read what came before it."""
        machine = self.machines[wire.node_id]
        if not wire.node_has_it or wire.to_node or (wire.hub_has_it and not wire.is_cut):
            return
        wire.node_has_it, wire.is_cut = False, True
        if machine.wire is wire:
            machine.wire = None
            if machine.core is not None:
                self._apply_node(machine, machine.core.disconnected(wire.number, 1006, "broke", self.now_s))

    # --- time -------------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everybody, in steps as short as those of real clocks."""
        while seconds > 0:
            step_s = min(seconds, 2.0)
            seconds -= step_s
            self.stand_still(step_s)

    def stand_still(self, seconds: float) -> None:
        """Let time pass in one step: everything stood still meanwhile, and wakes in this order."""
        self.now_s += seconds
        if self.hub is not None:
            self._apply_hub(self.hub.tick(self.now))
        for machine in self.machines.values():
            if machine.core is not None:
                self._apply_node(machine, machine.core.tick(self.now_s))

    # --- what must hold ---------------------------------------------------------------------------------------------

    def view(self, task_id: str) -> TaskView:
        assert self.store is not None
        view = self.store.task(task_id)
        assert view is not None, f"{task_id} was accepted and is lost"
        return view

    def check(self) -> None:
        """Hold the store against the ground truth, at any moment."""
        if self.store is None:
            return
        for task_id in self.accepted:
            view = self.view(task_id)
            if view.state in FINAL:
                self._note_outcome(task_id, str(view.state))
            if view.state == "succeeded":
                assert self.ends[task_id, view.attempt] == "succeeded", f"{task_id} never succeeded"

    def check_reruns(self) -> None:
        """An attempt after the first needs a reason: the one before failed, was stopped or lost."""
        for task_id, attempt in self.starts:
            if attempt == 1:
                continue
            before = (task_id, attempt - 1)
            # An attempt that was assigned and never arrived before its instance died did not start.
            explained = (
                self.ends.get(before) in {"failed", "cancelled"}
                or self.started_by.get(before) in self.died
                or before in self.freed
                or before not in self.starts
            )
            assert explained, f"{task_id} ran again as attempt {attempt} without a reason"

    def come_to_rest(self) -> None:
        """Mend everything, let every handler end, and run until every accepted task has its outcome."""
        self.start_hub()
        for _ in range(400):
            for node_id in self.machines:
                # One that was draining may have left only now.
                self.start_node(node_id)
            self.pass_time(5.0)
            for _ in range(30):
                self.step_everything()
            if not self.pending and all(self.view(task_id).state in FINAL for task_id in self.accepted):
                break
        self.check()
        self.check_reruns()
        for task_id, options in self.accepted.items():
            view = self.view(task_id)
            assert view.state in FINAL, f"{task_id} hangs as {view.state}"
            if options.on_lost == "fail":
                lost = [key for key in self.starts if key[0] == task_id]
                assert len(lost) <= 1 + view.failures, f"{task_id} ran again though it must not"
        assert self.store is not None
        totals = [(node.succeeded, node.failed, node.cancelled) for node in self.store.nodes()]
        told = Counter(str(self.view(task_id).state) for task_id in self.accepted)
        assert sum(total[0] for total in totals) >= told["succeeded"]

    def step_everything(self) -> None:
        """Let everything that can happen happen once, in a fixed order."""
        self.commit(100)
        for node_id, machine in self.machines.items():
            self.dial(node_id)
            self.write_outbox(node_id)
            for key in list(machine.running):
                self.finish(node_id, key, "succeeded")
        for wire in list(self.wires.values()):
            self.deliver_to_hub(wire)
            self.deliver_to_node(wire)
            self.tell_mark(wire)
            self.notice_at_hub(wire)
            self.notice_at_node(wire)
            if not wire.hub_has_it and not wire.node_has_it:
                del self.wires[wire.number]

    def close(self) -> None:
        if self.store is not None:
            self.store.close()
