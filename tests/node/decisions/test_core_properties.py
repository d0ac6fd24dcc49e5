"""What holds for a node's core whatever happens to it, in whatever order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from node.decisions.core import NodeCore, Profile
from node.decisions.effects import Close, Dial, Effect, Ended, Exit, Forget, Send, Start, Stop, Store
from node.decisions.link import Link
from protocol import frames
from protocol.frames import AttemptKey, HubFrame
from tests.node.fake_hub import task

KEYS = st.tuples(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(1, 2))
OUTCOMES: st.SearchStrategy[frames.Outcome] = st.sampled_from(["succeeded", "failed", "cancelled"])
SLOTS = 2


class CoreMachine(RuleBasedStateMachine):
    """A shell that does at random what a shell, a hub and handlers can do."""

    def __init__(self) -> None:
        super().__init__()
        profile = Profile(node_id="n", instance_id="i", hubs=["ws://a", "ws://b"], slots=SLOTS, handlers=["echo"])
        self.core = NodeCore(profile, luck=lambda: 0.5)
        self.now_s = 0.0
        self.connection = 0
        self.running: dict[AttemptKey, float] = {}
        self.ever_started: set[AttemptKey] = set()
        self.storing: set[AttemptKey] = set()
        self.outbox: set[AttemptKey] = set()
        self.unwanted: set[AttemptKey] = set()
        self.dial_is_due = True
        self.has_exited = False
        self.perform(self.core.begin())

    def perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Start():
                    for frame in effect.tasks:
                        key = (frame.task_id, frame.attempt)
                        assert key not in self.ever_started, "an attempt starts at most once"
                        self.ever_started.add(key)
                        self.running[key] = frame.lease_s
                    assert len(self.running) <= SLOTS
                case Store():
                    self.storing.update(item.key for item in effect.results)
                case Send():
                    assert effect.connection == self.connection
                    self.check_sent(effect)
                case Forget():
                    self.outbox.difference_update(effect.keys)
                case Stop():
                    assert effect.key in self.running
                    if effect.reason == "unwanted":
                        self.unwanted.add(effect.key)
                case Dial():
                    self.dial_is_due = True
                    assert effect.after_s >= 0
                case Close():
                    assert effect.connection == self.connection
                case Exit():
                    self.has_exited = True

    def check_sent(self, send: Send) -> None:
        for frame in send.frames:
            if isinstance(frame, frames.Result):
                assert (frame.task_id, frame.attempt) in self.outbox, "a result is sent only when it is stored"
            if isinstance(frame, frames.Bye):
                assert not self.running
                assert not self.storing
                assert not self.outbox

    def hear(self, *message: HubFrame) -> None:
        self.perform(self.core.received(self.connection, message, self.now_s))

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 9.0, 40.0, 400.0]))
    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.perform(self.core.tick(self.now_s))

    @precondition(lambda self: self.dial_is_due and not self.has_exited)
    @rule(works=st.booleans(), fatal=st.booleans())
    def dial(self, works: bool, fatal: bool) -> None:
        self.dial_is_due = False
        if works:
            self.connection += 1
            self.perform(self.core.connected(self.connection, self.now_s))
        else:
            self.perform(self.core.dial_failed("no", self.now_s, is_fatal=fatal))

    @precondition(lambda self: self.core.link is Link.GREETING)
    @rule(answer=st.sampled_from(["welcome", "unknown", "refused"]), stop=st.lists(KEYS, max_size=2))
    def answer(self, answer: str, stop: list[AttemptKey]) -> None:
        if answer == "unknown":
            self.hear(frames.UnknownSession(session_id="s"))
        elif answer == "refused":
            self.hear(frames.Refused(code="degraded", message="no"))
        else:
            welcome = frames.Registered(session_id="s", hub_id="h", heartbeat_s=10.0, spread_s=1.0)
            self.hear(welcome, frames.Verdicts(stop=stop))

    @rule(code=st.sampled_from([1000, 1006, 4003]))
    def lose(self, code: int) -> None:
        self.perform(self.core.disconnected(self.connection, code, "gone", self.now_s))

    @rule(key=KEYS, lease_s=st.sampled_from([1.0, 30.0, 300.0]))
    def push(self, key: AttemptKey, lease_s: float) -> None:
        self.hear(task(key[0], attempt=key[1], lease_s=lease_s))

    @rule(key=KEYS)
    def cancel(self, key: AttemptKey) -> None:
        self.hear(frames.Cancel(task_id=key[0], attempt=key[1]))

    @rule(sequence=st.integers(0, 5))
    def ack_beat(self, sequence: int) -> None:
        self.hear(frames.HeartbeatAck(sequence=sequence))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=OUTCOMES)
    def end(self, data: st.DataObject, outcome: frames.Outcome) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[key]
        ended = Ended(key=key, outcome=outcome, started_s=self.now_s, ended_s=self.now_s)
        self.perform(self.core.ended([ended], self.now_s))

    @precondition(lambda self: self.storing)
    @rule()
    def store(self) -> None:
        keys = sorted(self.storing)
        self.outbox.update(keys)
        self.storing.clear()
        self.perform(self.core.stored(keys, self.now_s))

    @precondition(lambda self: self.outbox)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        self.hear(frames.Ack(attempts=[data.draw(st.sampled_from(sorted(self.outbox)))]))

    @rule(is_well=st.booleans())
    def change_the_disk(self, is_well: bool) -> None:
        change = self.core.outbox_recovered if is_well else self.core.outbox_failing
        self.perform(change(self.now_s))

    @rule(wish=st.sampled_from(["drain", "stop"]))
    def leave(self, wish: str) -> None:
        self.perform((self.core.drain if wish == "drain" else self.core.stop_handlers)(wish, self.now_s))

    @invariant()
    def the_inventory_is_complete(self) -> None:
        inventory = self.core.inventory
        held = set(inventory.running)
        assert set(self.running) <= held
        assert self.storing <= held
        assert set(inventory.results) == self.outbox
        assert not held & self.outbox

    @invariant()
    def a_node_without_a_connection_dials_unless_it_has_ended(self) -> None:
        assert self.dial_is_due or self.has_exited or self.core.link is not Link.OFFLINE

    @invariant()
    def the_core_is_never_overdue_after_a_tick(self) -> None:
        self.perform(self.core.tick(self.now_s))
        assert self.core.wake_at_s() > self.now_s


CoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCore = CoreMachine.TestCase
