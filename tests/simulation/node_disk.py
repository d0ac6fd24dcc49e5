"""What a node's machine keeps, what it is to work on, and the thread that writes its outbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from node.decisions.core import NodeCore
from node.decisions.effects import Effect, Finished
from protocol.frames import AttemptKey, Result
from tests.simulation.process import Process
from tests.simulation.truth import Truth

News: TypeAlias = Callable[[NodeCore, float], Sequence[Effect]]
"""What the core is to be told; it is handed the core and the node's time."""

# How long deletions wait for an insert to ride along with, and a full disk for the next try.
FORGET_WITHIN_S = 0.5
RETRY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a task's handler does: it fails so many times first, and takes so long to stop if it can be stopped."""

    duration_s: float = 0.1
    failures: int = 0
    is_retryable: bool = True
    can_stop: bool = True
    stop_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class NodeDisk:
    """What outlives the process: its state folder, and how far the machine's steady clock is from everybody's."""

    name: str
    node_id: str
    slots: int
    outbox: dict[AttemptKey, Finished] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)
    starts: int = 0
    full_until_s: float = 0.0
    clock_ahead_s: float = 0.0
    clock_rate: float = 1.0
    write_s: float = 0.005
    """The longest that the disk takes for a commit."""
    repeats: bool = False
    """Whether this node says again, now and then, results that it has said before; it is not ours, and allowed to."""
    said: list[Result] = field(default_factory=list)


class OutboxWriter:
    """The outbox's own thread: it commits what has piled up, and keeps it in memory while the disk is full."""

    def __init__(self, process: Process, disk: NodeDisk, truth: Truth, tell: Callable[[News], None]) -> None:
        self._process = process
        self._disk = disk
        self._truth = truth
        self._tell = tell
        self._unwritten: dict[AttemptKey, Finished] = {}
        self._told: set[AttemptKey] = set()
        self._forgotten: list[AttemptKey] = []
        self._is_planned = False
        self._is_failing = False

    def store(self, results: Sequence[Finished]) -> None:
        """Take results; the core is told when they are stored."""
        process = self._process
        process.step(f"store {[finished.key for finished in results]}" if process.trace.is_kept else "store")
        self._truth.give_back(finished.key for finished in results if finished.result.outcome == "cancelled")
        self._unwritten.update({finished.key: finished for finished in results})
        if self._is_failing:
            self._call_stored()
        if not self._is_planned:
            self._is_planned = True
            process.soon(self._write, self._disk.write_s)

    def forget(self, keys: Sequence[AttemptKey]) -> None:
        """Drop results; deletions ride along with the next insert, or come late."""
        process = self._process
        process.step(f"forget {keys}" if process.trace.is_kept else "forget")
        for key in keys:
            self._told.discard(key)
            if self._unwritten.pop(key, None) is None:
                self._forgotten.append(key)
        process.after(FORGET_WITHIN_S, self._write)

    def _write(self) -> None:
        """Commit what is gathered."""
        self._is_planned = False
        if not self._unwritten and not self._forgotten and not self._is_failing:
            return
        self._process.step("commit outbox")
        if self._process.agenda.now_s < self._disk.full_until_s:
            self._fail()
            return
        for key in self._forgotten:
            self._disk.outbox.pop(key, None)
        self._disk.outbox.update(self._unwritten)
        self._truth.store(key for key, finished in self._unwritten.items() if finished.result.outcome != "cancelled")
        self._forgotten.clear()
        self._process.step("committed outbox")
        self._call_stored()
        self._unwritten.clear()
        self._told.clear()
        if self._is_failing:
            self._is_failing = False
            self._tell(lambda core, now_s: core.outbox_recovered(now_s))

    def _fail(self) -> None:
        """The disk is full: keep everything in memory, call it stored, and try again."""
        if not self._is_failing:
            self._is_failing = True
            self._tell(lambda core, now_s: core.outbox_failing(now_s))
        self._call_stored()
        self._is_planned = True
        self._process.after(RETRY_S, self._write)

    def _call_stored(self) -> None:
        news = [key for key in self._unwritten if key not in self._told]
        if news:
            self._told.update(news)
            self._tell(lambda core, now_s: core.stored(news, now_s))
