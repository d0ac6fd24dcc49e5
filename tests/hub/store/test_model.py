"""The store against a tiny model of what it promises, over random histories of two nodes."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from hub.decisions.lifecycle import FINAL, TaskState
from hub.store.assignments import Offer
from hub.store.attempts import Silence
from hub.store.sqlite import SqliteStore
from protocol.frames import AttemptKey, Outcome
from tests.hub.store.board import Board, offer, result

NODES = ("n1", "n2")
KEYS = (None, None, "red", "blue")
LIMIT = 2


@dataclass
class Model:
    """What a task must be."""

    state: TaskState
    priority: int
    key: str | None
    on_lost: str
    attempts_max: int
    seq: int
    attempt: int = 0
    failures: int = 0
    holder: tuple[str, str] | None = None
    outcomes: list[TaskState] = field(default_factory=list)

    def end(self, state: TaskState) -> None:
        self.state = state
        self.outcomes.append(state)


class StoreMachine(RuleBasedStateMachine):
    """Each rule does the same to both."""

    attempts: Bundle[AttemptKey] = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="moorline-"))
        self.store = SqliteStore.open(self.folder / "hub.db", durability="normal")
        self.board = Board(self.store)
        self.tasks: dict[str, Model] = {}
        self.instances = dict.fromkeys(NODES, 1)
        self.totals: Counter[str] = Counter()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        for node_id in NODES:
            self.board.register(node_id, f"{node_id}.1")

    # --- helpers ----------------------------------------------------------------------------------------------------

    def offer(self, node_id: str, free: int) -> Offer:
        return offer(free, node_id, f"{node_id}.{self.instances[node_id]}")

    def eligible(self) -> list[str]:
        """Ids of what may be assigned next, best first; a key may be full by the time its turn comes."""
        queued = [(-task.priority, task.seq, name) for name, task in self.tasks.items() if task.state == "queued"]
        return [name for _, _, name in sorted(queued)]

    def holders(self, key: str) -> int:
        return sum(1 for task in self.tasks.values() if task.key == key and task.holder is not None)

    def assign(self, assigned: list[AttemptKey], offers: list[Offer]) -> None:
        """Check who was chosen, and note it."""
        expected: list[AttemptKey] = []
        free = sum(item.free for item in offers)
        for name in self.eligible():
            task = self.tasks[name]
            if len(expected) == free:
                break
            if task.key is None or self.holders(task.key) < LIMIT:
                task.holder = ("?", "?")
                expected.append((name, task.attempt + 1))
        assert assigned == expected
        for name, attempt in assigned:
            task = self.tasks[name]
            assert attempt == task.attempt + 1
            task.attempt = attempt
            task.state = TaskState.RUNNING
            view = self.board.view(name)
            assert view.node in NODES
            task.holder = (view.node, f"{view.node}.{self.instances[view.node]}")

    def lose(self, task: Model) -> None:
        assert task.holder is not None
        if task.state is TaskState.RUNNING:
            self.totals["lost"] += 1
            if task.on_lost == "fail":
                task.end(TaskState.LOST)
            else:
                task.state = TaskState.QUEUED
        task.holder = None

    # --- rules ------------------------------------------------------------------------------------------------------

    @rule(
        priorities=st.lists(st.integers(-1, 1), min_size=1, max_size=4),
        key=st.sampled_from(KEYS),
        on_lost=st.sampled_from(["retry", "fail"]),
        attempts_max=st.integers(1, 2),
        delay_s=st.sampled_from([0.0, 0.0, 5.0]),
        free=st.integers(0, 3),
        node_id=st.sampled_from(NODES),
        target=attempts,
    )
    def submit(
        self,
        priorities: list[int],
        key: str | None,
        on_lost: str,
        attempts_max: int,
        delay_s: float,
        free: int,
        node_id: str,
    ) -> MultipleResults[AttemptKey]:
        retry = {"max_attempts": attempts_max, "initial_s": 0.0}
        options: dict[str, Any] = {
            "concurrency_key": key,
            "concurrency_limit": LIMIT,
            "on_lost": on_lost,
            "delay_s": delay_s,
        }
        new = [self.board.new(retry=retry, priority=priority, **options) for priority in priorities]
        offers = [self.offer(node_id, free)]
        submitted = self.board.submit(*new, offers=offers)
        state = TaskState.SCHEDULED if delay_s else TaskState.QUEUED
        for task in new:
            priority = task.options.priority
            self.tasks[task.task_id] = Model(state, priority, key, on_lost, attempts_max, len(self.tasks))
        assigned = [(item.task_id, item.attempt) for item in submitted.assignments]
        self.assign(assigned, offers)
        return multiple(*assigned)

    @rule(free=st.lists(st.integers(0, 3), min_size=2, max_size=2), target=attempts)
    def claim(self, free: list[int]) -> MultipleResults[AttemptKey]:
        offers = [self.offer(node_id, count) for node_id, count in zip(NODES, free, strict=True)]
        assigned = [(item.task_id, item.attempt) for item in self.board.claim(*offers)]
        self.assign(assigned, offers)
        return multiple(*assigned)

    @rule(key=attempts, outcome=st.sampled_from(["succeeded", "failed", "cancelled"]), free=st.integers(0, 1))
    def record(self, key: AttemptKey, outcome: Outcome, free: int) -> None:
        """Any attempt's result at any time: first, late, twice."""
        task = self.tasks[key[0]]
        node_id = task.holder[0] if task.holder is not None else NODES[0]
        offers = [self.offer(node_id, free)]
        recorded = self.board.record(result(key, outcome, node_id), offers=offers)
        is_current = key[1] == task.attempt and task.holder is not None
        is_running = task.state is TaskState.RUNNING
        assert recorded.verdicts == ["committed" if is_current and is_running else "superseded"]
        if is_current and not is_running:
            task.holder = None
        elif is_current and outcome == "cancelled":
            self.lose(task)
        elif is_current:
            self.totals[outcome] += 1
            task.holder = None
            task.failures += outcome == "failed"
            if outcome == "failed" and task.failures < task.attempts_max:
                task.state = TaskState.QUEUED
            else:
                task.end(TaskState(outcome))
        self.assign([(item.task_id, item.attempt) for item in recorded.assignments], offers)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if not self.tasks:
            return
        name = data.draw(st.sampled_from(sorted(self.tasks)))
        task = self.tasks[name]
        self.board.cancel(name)
        if task.state not in FINAL:
            if task.holder is not None:
                self.totals["cancelled"] += 1
            task.end(TaskState.CANCELLED)

    @rule(data=st.data())
    def revive(self, data: st.DataObject) -> None:
        if not self.tasks:
            return
        name = data.draw(st.sampled_from(sorted(self.tasks)))
        task = self.tasks[name]
        ((_, _, done),) = self.board.revive(name).tasks
        may = task.state in FINAL and task.state is not TaskState.SUCCEEDED and task.holder is None
        assert done == may
        if may:
            task.state, task.failures = TaskState.QUEUED, 0
            task.outcomes.clear()

    @rule(node_id=st.sampled_from(NODES))
    def release(self, node_id: str) -> None:
        holder = (node_id, f"{node_id}.{self.instances[node_id]}")
        self.board.release(Silence(*holder, 1e9))
        for task in self.tasks.values():
            if task.holder == holder:
                self.lose(task)

    @rule(node_id=st.sampled_from(NODES), has_arrived=st.booleans())
    def reconnect(self, node_id: str, has_arrived: bool) -> None:
        """The same instance comes back, with all that it holds or with nothing."""
        instance_id = f"{node_id}.{self.instances[node_id]}"
        held = {name: task for name, task in self.tasks.items() if task.holder == (node_id, instance_id)}
        keys = [(name, task.attempt) for name, task in held.items()]
        told = self.board.register(node_id, instance_id, running=keys if has_arrived else [])
        if has_arrived:
            assert sorted(told.keep + told.cancel) == sorted(keys)
            return
        running = {name for name, task in held.items() if task.state is TaskState.RUNNING}
        assert {task_id for task_id, _ in told.push} == running
        for name in held.keys() - running:
            held[name].holder = None

    @rule(node_id=st.sampled_from(NODES))
    def restart(self, node_id: str) -> None:
        """A new instance proves that the one before is dead."""
        before = f"{node_id}.{self.instances[node_id]}"
        self.instances[node_id] += 1
        self.board.register(node_id, f"{node_id}.{self.instances[node_id]}", predecessors=[before])
        for task in self.tasks.values():
            if task.holder == (node_id, before):
                self.lose(task)

    @rule()
    def sweep(self) -> None:
        self.board.wait(5)
        self.board.sweep()
        for task in self.tasks.values():
            if task.state is TaskState.SCHEDULED:
                task.state = TaskState.QUEUED

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = SqliteStore.open(self.folder / "hub.db", durability="normal")
        self.board.store = self.store

    # --- what must always hold --------------------------------------------------------------------------------------

    @invariant()
    def tasks_are_as_the_model_says(self) -> None:
        for name, task in self.tasks.items():
            view = self.board.view(name)
            assert (view.state, view.attempt, view.held) == (task.state, task.attempt, task.holder is not None), name
            assert len(task.outcomes) <= 1
            if task.holder is not None:
                assert view.node == task.holder[0]

    @invariant()
    def no_key_is_held_by_more_than_its_limit(self) -> None:
        assert all(self.holders(key) <= LIMIT for key in KEYS if key is not None)

    @invariant()
    def totals_are_the_outcomes(self) -> None:
        totals = self.store.stats().totals
        assert {name: totals[name] for name in ("succeeded", "failed", "cancelled", "lost")} == {
            name: self.totals[name] for name in ("succeeded", "failed", "cancelled", "lost")
        }

    @invariant()
    def counters_are_what_is_there(self) -> None:
        counts = Counter(task.state.value for task in self.tasks.values())
        assert self.store.stats().tasks == {state.value: counts[state.value] for state in TaskState}

    @invariant()
    def events_have_no_gaps(self) -> None:
        page = self.store.events(0, 100_000)
        assert [event.id for event in page.events] == list(range(1, page.last_id + 1))


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
