"""What people want of what is there already: tasks cancelled or queued again, nodes left alone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from hub.store.attempts import TaskRow


class Cancel(Struct, frozen=True, kw_only=True):
    """Cancel tasks that are not final. Answer: `Cancelled`."""

    task_ids: Sequence[str]
    reason: str = ""


class Cancelled(Struct, frozen=True, kw_only=True):
    """``(task_id, state now)`` in order, state None if there is no such task; which of them this very operation
    changed; and which held attempts to stop.
    """

    states: list[tuple[str, TaskState | None]]
    changed: list[str]
    stop: list[TaskRow]


class Revive(Struct, frozen=True, kw_only=True):
    """Queue finished tasks again, failures forgotten. Answer: `Revived`. A task that is still held is left alone."""

    task_ids: Sequence[str]


class Revived(Struct, frozen=True, kw_only=True):
    """``(task_id, state before, done)`` in order; state None if there is no such task."""

    tasks: list[tuple[str, TaskState | None, bool]]


class NodeWish(Struct, frozen=True, kw_only=True):
    """An operator's wish: ``cordoned`` and ``draining`` change only if given. Answer: the `NodeView`, or None if
    unknown.
    """

    node_id: str
    cordoned: bool | None = None
    draining: bool | None = None
