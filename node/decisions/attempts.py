"""The attempts that a node was pushed and has no stored result of: which wait, which run, which must stop.

An attempt leaves here only when its result is stored (it is then among the `Deliveries`), or when nobody wants its
result: so it is always in one of the two, and the inventory is complete at any moment.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from node.decisions.effects import Finished, StopReason
from protocol.frames import AttemptKey, Task

# A lease that is confirmed by each third heartbeat at least survives two that are lost.
HEARTBEATS_PER_LEASE: Final = 3

# Bounds how many attempts that are over are remembered, in case a hub that lost its memory pushes one again.
OVER_MAX: Final = 10_000


class Stage(Enum):
    """Where an attempt is."""

    WAITING = "waiting"
    """Pushed; no slot is free, its lease is not confirmed, or the outbox cannot take results."""
    RUNNING = "running"
    """Its handler was started and has not ended, even if it was told to stop."""
    ENDED = "ended"
    """Its handler has ended; the result is on its way to the disk."""


_MOVES: Final = {
    Stage.WAITING: frozenset({Stage.RUNNING, Stage.ENDED}),
    Stage.RUNNING: frozenset({Stage.ENDED}),
    Stage.ENDED: frozenset[Stage](),
}


class Held:
    """One attempt: the task as it was pushed, and what has become of it so far."""

    __slots__ = ("finished", "is_wanted", "pushed_s", "stage", "stop_reason", "task")

    def __init__(self, task: Task, pushed_s: float) -> None:
        self.task = task
        self.pushed_s = pushed_s
        self.stage = Stage.WAITING
        self.stop_reason: StopReason | None = None
        self.is_wanted = True
        self.finished: Finished | None = None

    def move(self, stage: Stage) -> None:
        """Go to another stage. Raises RuntimeError for a move that is not in the table: a bug of ours."""
        if stage not in _MOVES[self.stage]:
            raise RuntimeError(f"an attempt cannot go from {self.stage.value} to {stage.value}")
        self.stage = stage


class Attempts:
    """What a node holds and has no stored result of.

    Args:
        slots: how many handlers may run at once; further attempts wait in the order in which they were pushed.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[AttemptKey, Held] = {}
        self._waiting: deque[AttemptKey] = deque()
        self._running: dict[AttemptKey, Held] = {}
        # Few distinct values at a time, so that the shortest is found at once.
        self._leases_s: Counter[float] = Counter()
        # Not a plain dict: to find its oldest key takes longer with each key that was deleted before it.
        self._over: OrderedDict[AttemptKey, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def keys(self) -> list[AttemptKey]:
        """All of them, in the order in which they were pushed."""
        return list(self._held)

    @property
    def slots_in_use(self) -> int:
        """How many handlers run."""
        return len(self._running)

    @property
    def shortest_lease_s(self) -> float | None:
        """The shortest lease among what is held, or None if nothing is."""
        return min(self._leases_s, default=None)

    def get(self, key: AttemptKey) -> Held | None:
        """Give an attempt, or None if it is not held."""
        return self._held.get(key)

    def is_over(self, key: AttemptKey) -> bool:
        """Tell whether this attempt was held once and is over: its handler must not run again."""
        return key in self._over

    def hold(self, task: Task, now_s: float) -> bool:
        """Take an attempt that was pushed; False if it is held already."""
        key = (task.task_id, task.attempt)
        if key in self._held:
            return False
        self._held[key] = Held(task, now_s)
        self._waiting.append(key)
        self._leases_s[task.lease_s] += 1
        return True

    def start(self, now_s: float, confirmed_s: float) -> list[Task]:
        """Start what has a free slot and a lease that has not run out; the rest goes on waiting in its order."""
        started: list[Task] = []
        unconfirmed: list[AttemptKey] = []
        while self._waiting and len(self._running) < self._slots:
            key = self._waiting.popleft()
            held = self._held.get(key)
            if held is None or held.stage is not Stage.WAITING:
                continue
            if now_s >= confirmed_s + held.task.lease_s:
                # The hub may have given it up while this process stood still. Only a heartbeat that is acked on this
                # connection, or the verdict of the next one, can tell.
                unconfirmed.append(key)
                continue
            held.move(Stage.RUNNING)
            self._running[key] = held
            started.append(held.task)
        self._waiting.extendleft(reversed(unconfirmed))
        return started

    def run_out(self, now_s: float, confirmed_s: float) -> list[Held]:
        """Give what runs with a lease that has run out and was not told to stop yet."""
        return [
            held
            for held in self._running.values()
            if held.stop_reason is None and now_s >= confirmed_s + held.task.lease_s
        ]

    def running(self) -> Iterator[Held]:
        """Give what runs."""
        return iter(list(self._running.values()))

    def waiting(self) -> Iterator[Held]:
        """Give what waits for a slot."""
        return iter([held for held in self._held.values() if held.stage is Stage.WAITING])

    def end(self, key: AttemptKey) -> Held | None:
        """Note that a handler has ended, or will never start; frees its slot. None if it is not held, or had ended."""
        held = self._held.get(key)
        if held is None or held.stage is Stage.ENDED:
            return None
        held.move(Stage.ENDED)
        self._running.pop(key, None)
        return held

    def drop(self, key: AttemptKey) -> Held | None:
        """Let go of an attempt that has ended: its result is stored, or nobody wants it."""
        held = self._held.pop(key, None)
        if held is None:
            return None
        lease_s = held.task.lease_s
        self._leases_s[lease_s] -= 1
        if not self._leases_s[lease_s]:
            del self._leases_s[lease_s]
        self.remember((key,))
        return held

    def remember(self, keys: Iterable[AttemptKey]) -> None:
        """Remember attempts that are over."""
        for key in keys:
            self._over[key] = None
        while len(self._over) > OVER_MAX:
            self._over.popitem(last=False)
