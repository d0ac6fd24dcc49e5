"""The facts of which the ground truth is made, and what is raised when they contradict a promise."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.store.tasks import TaskOptions
from protocol.frames import AttemptKey


class BrokenError(AssertionError):
    """A promise is broken. ``promise`` is its name, short enough for a table."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(promise, what)
        self.promise = promise
        self.what = what

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a handler: where, since when, and whether it may be stopped."""

    key: AttemptKey
    machine: str
    instance_id: str
    can_stop: bool
    began_s: float
    is_told: bool = False
    stood_still: bool = False


@dataclass(slots=True, kw_only=True)
class TaskTruth:
    """What is known of one task from outside."""

    options: TaskOptions
    is_accepted: bool = False
    cancel_asked: bool = False
    revive_asked: bool = False
    final: str = ""
    final_since: int = 0
    finals: set[str] = field(default_factory=set)
    replied: set[str] = field(default_factory=set)
    runs: int = 0
