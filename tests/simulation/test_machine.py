"""Protocol, reconciliation and task moves, in any order that can happen, against a ground truth."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.decisions.retry import RetryPolicy
from hub.store.tasks import TaskOptions
from protocol.frames import Outcome
from tests.simulation.world import LEASE_S, Wire, World

OPTIONS = {
    "plain": TaskOptions(lease_s=LEASE_S),
    "urgent": TaskOptions(priority=5, lease_s=LEASE_S),
    "once": TaskOptions(on_lost="fail", lease_s=LEASE_S),
    "again": TaskOptions(retry=RetryPolicy(max_attempts=2, initial_s=0.5), lease_s=LEASE_S),
    "alone": TaskOptions(concurrency_key="k", lease_s=LEASE_S),
}
nodes = st.sampled_from(["n0", "n1"])
picks = st.integers(0, 1000)


class Installation(RuleBasedStateMachine):
    """One hub and two nodes; each rule is one thing that can happen next."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="moorline-world-"))
        self.world = World(self._folder, seed)
        self._tasks = 0

    def _wire(self, pick: int) -> Wire | None:
        wires = list(self.world.wires.values())
        return wires[pick % len(wires)] if wires else None

    @rule(kind=st.sampled_from(sorted(OPTIONS)), count=st.integers(1, 3))
    def submit(self, kind: str, count: int) -> None:
        task_ids = [f"{kind}{self._tasks + number}" for number in range(count)]
        self._tasks += count
        self.world.submit(task_ids, OPTIONS[kind])

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        known = list(self.world.accepted)
        if known:
            self.world.cancel(known[pick % len(known)])

    @rule(count=st.integers(1, 4))
    def commit(self, count: int) -> None:
        self.world.commit(count)

    @rule(node_id=nodes)
    def dial(self, node_id: str) -> None:
        self.world.dial(node_id)

    @rule(pick=picks)
    def deliver_to_hub(self, pick: int) -> None:
        if wire := self._wire(pick):
            self.world.deliver_to_hub(wire)

    @rule(pick=picks)
    def deliver_to_node(self, pick: int) -> None:
        if wire := self._wire(pick):
            self.world.deliver_to_node(wire)

    @rule(pick=picks)
    def tell_mark(self, pick: int) -> None:
        if wire := self._wire(pick):
            self.world.tell_mark(wire)

    @rule(node_id=nodes, pick=picks, outcome=st.sampled_from(["succeeded", "failed"]))
    def finish(self, node_id: str, pick: int, outcome: Outcome) -> None:
        running = list(self.world.machines[node_id].running)
        if running:
            self.world.finish(node_id, running[pick % len(running)], outcome)

    @rule(node_id=nodes)
    def write_outbox(self, node_id: str) -> None:
        self.world.write_outbox(node_id)

    @rule(pick=picks)
    def cut(self, pick: int) -> None:
        if wire := self._wire(pick):
            self.world.cut(wire)

    @rule(pick=picks)
    def notice_at_hub(self, pick: int) -> None:
        if wire := self._wire(pick):
            self.world.notice_at_hub(wire)

    @rule(pick=picks)
    def notice_at_node(self, pick: int) -> None:
        if wire := self._wire(pick):
            self.world.notice_at_node(wire)

    @rule()
    def kill_hub(self) -> None:
        self.world.kill_hub()

    @precondition(lambda self: self.world.hub is None)
    @rule()
    def start_hub(self) -> None:
        self.world.start_hub()

    @rule(node_id=nodes)
    def kill_node(self, node_id: str) -> None:
        self.world.kill_node(node_id)

    @rule(node_id=nodes)
    def drain(self, node_id: str) -> None:
        self.world.drain(node_id)

    @rule(seconds=st.sampled_from([10.0, 45.0, 100.0]))
    def stand_still(self, seconds: float) -> None:
        self.world.stand_still(seconds)

    @rule(node_id=nodes)
    def start_node(self, node_id: str) -> None:
        self.world.start_node(node_id)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 20.0, 100.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(rounds=st.integers(1, 4))
    def run_on(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.pass_time(0.5)
            self.world.step_everything()

    @invariant()
    def what_must_hold_holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.come_to_rest()
        finally:
            self.world.close()
            shutil.rmtree(self._folder)


TestInstallation = Installation.TestCase
TestInstallation.settings = settings(
    max_examples=300, stateful_step_count=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
# Some seconds where nothing else runs; under coverage, on a machine that is busy, minutes.
TestInstallation.pytestmark = [pytest.mark.timeout(300)]
