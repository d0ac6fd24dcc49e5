"""Lines that handlers logged, a bounded number for each task."""

from __future__ import annotations

import sqlite3

import msgspec

from hub.store.logs import AppendLogs, StoredLogs
from hub.store.sqlite import bulk, rows
from hub.store.sqlite.transaction import Transaction
from protocol.frames import LogLine

_counts = msgspec.json.Decoder(list[tuple[int, int, int]])
_lines = msgspec.json.Decoder(list[tuple[int, float, str, str]])


def append(tx: Transaction, operation: AppendLogs) -> None:
    """Keep the lines of attempts that this node holds, as far as there is room."""
    known = rows.by_ids(tx.connection, {line.task_id for line in operation.lines})
    by_task: dict[int, list[LogLine]] = {}
    for line in operation.lines:
        task = known.get(line.task_id)
        if task is not None and task.held and (task.node_id, task.attempt) == (operation.node_id, line.attempt):
            by_task.setdefault(task.seq, []).append(line)
    if not by_task:
        return
    rest = "FROM log_counts WHERE seq IN (SELECT value FROM json_each(?))"
    found = bulk.read(tx.connection, _counts, "seq, kept, dropped", rest, (bulk.among(by_task),))
    counts = {seq: (kept, dropped) for seq, kept, dropped in found}
    kept_lines: list[bulk.Row] = []
    new_counts: list[bulk.Row] = []
    for seq, lines in by_task.items():
        kept, dropped = counts.get(seq, (0, 0))
        room = max(0, operation.lines_max - kept)
        for number, line in enumerate(lines[:room], kept):
            kept_lines.append((seq, number, line.attempt, line.at, line.level, line.message))
        fitting = min(room, len(lines))
        new_counts.append((seq, kept + fitting, dropped + len(lines) - fitting))
    bulk.insert(tx.connection, "logs", "seq, number, attempt, at, level, message", kept_lines)
    suffix = "ON CONFLICT (seq) DO UPDATE SET kept = excluded.kept, dropped = excluded.dropped"
    bulk.insert(tx.connection, "log_counts", "seq, kept, dropped", new_counts, suffix)


def of_task(connection: sqlite3.Connection, task_id: str) -> StoredLogs:
    """Give the lines of one task, oldest first."""
    row = connection.execute(
        "SELECT seq, dropped FROM tasks JOIN log_counts USING (seq) WHERE id = ?", (task_id,)
    ).fetchone()
    if row is None:
        return StoredLogs(lines=[], dropped=0)
    seq, dropped = row
    rest = "FROM (SELECT * FROM logs WHERE seq = ? ORDER BY number)"
    found = bulk.read(connection, _lines, "attempt, at, level, message", rest, (seq,))
    lines = [
        LogLine(task_id=task_id, attempt=attempt, at=at, level=level, message=message)
        for attempt, at, level, message in found
    ]
    return StoredLogs(lines=lines, dropped=dropped)
