"""What a hub says about the past. Fields that a later hub adds are ignored.

Times (``*_at``, and `History.at`) are seconds since 1970, UTC.
"""

from __future__ import annotations

import msgspec

from moorline.views import Problem


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of the same length for charts, oldest first: ``at`` is the end of each step of ``step_s`` seconds.

    ``submitted`` … ``lost`` count what happened in the step, the others say how things stood at its end (in steps of
    300 s on average, ``oldest_queued_s`` at most). Waits and runs are None where nothing was measured.
    """

    step_s: int
    at: list[float] = []
    queued: list[float] = []
    running: list[float] = []
    scheduled: list[float] = []
    submitted: list[int] = []
    succeeded: list[int] = []
    failed: list[int] = []
    cancelled: list[int] = []
    expired: list[int] = []
    lost: list[int] = []
    oldest_queued_s: list[float] = []
    wait_p50_s: list[float | None] = []
    wait_p95_s: list[float | None] = []
    run_p50_s: list[float | None] = []
    run_p95_s: list[float | None] = []
    nodes_online: list[float] = []
    nodes_away: list[float] = []


class NodeSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a node's state was the same. ``ended_at`` None: it still is. ``reason``: why it left."""

    began_at: float
    ended_at: float | None
    state: str
    reason: str = ""


class NodeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The states of a node between two times, oldest first. The first span may have begun earlier."""

    node_id: str
    since: float
    until: float
    spans: list[NodeSpan] = []


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that ended alike. ``message`` is that of the first one with `#` for numbers and ids; ``place`` is
    `file:line in function`. The filter ``errorgroup=ID`` gives the tasks.
    """

    id: str
    name: str
    kind: str
    type: str = ""
    message: str = ""
    place: str = ""
    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    last_task_id: str = ""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a task. ``outcome`` None: it runs; else `succeeded`, `failed`, `lost`, `cancelled`, or `returned`:
    its node left before it had begun.
    """

    attempt: int
    node: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    outcome: str | None = None
    run_s: float | None = None
    error: Problem | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log: somebody was about to do this."""

    id: int
    at: float
    who: str
    role: str = ""
    address: str = ""
    action: str = ""
    target: str = ""
    detail: str = ""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the audit log, newest first. ``cursor``: where the next page begins; None after the last one."""

    entries: list[AuditEntry]
    cursor: str | None = None
