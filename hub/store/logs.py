"""What handlers logged for a task."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from protocol.frames import LogLine


class AppendLogs(Struct, frozen=True, kw_only=True):
    """Keep lines that handlers of ``node_id`` logged for tasks that it holds, at most ``lines_max`` per task. Answer:
    None.
    """

    node_id: str
    lines: Sequence[LogLine]
    lines_max: int


class StoredLogs(Struct, frozen=True, kw_only=True):
    """Log lines of one task, oldest first, and how many did not fit."""

    lines: list[LogLine]
    dropped: int
