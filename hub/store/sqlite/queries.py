"""Questions about tasks, events and counts, on a connection that cannot write."""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hub.lifecycle import TaskState
from hub.store.contract import Event, EventPage, QueuePlace, StoreStats, TaskFilter, TaskPage, TaskView
from hub.store.sqlite import bulk, codes, event_texts
from hub.store.sqlite.rows import options_of
from protocol.frames import TaskError

# Rows that one page looks at, whatever it finds: some 10 ms. The cursor goes on from there.
EXAMINED_MAX: Final = 5_000


class _Stored(Struct, array_like=True):
    """One task as it is shown."""

    seq: int
    id: str
    class_name: str
    class_requires: str
    class_target: str
    code: int
    rank: int
    attempt: int
    held: int
    node_id: str
    failures: int
    losses: int
    options_text: str | None
    group: str
    due_at: float | None
    deadline_at: float | None
    submitted_at: float
    started_at: float | None
    finished_at: float | None
    run_s: float | None
    wait_s: float | None
    error: str | None


_COLUMNS: Final = (
    "tasks.seq, tasks.id, classes.name, classes.requires, classes.target, state, rank, attempt, held, node_id,"
    " failures, losses, options, task_group, due_at, deadline_at, submitted_at, started_at, finished_at, run_s, wait_s,"
    " error"
)
_TABLES: Final = "tasks JOIN classes ON classes.id = class_id LEFT JOIN outcomes USING (seq)"

_TABLES_EXAMINED: Final = "tasks USING (seq) JOIN classes ON classes.id = class_id LEFT JOIN outcomes USING (seq)"
_NAMES: Final = (
    "seq, id, class_name, class_requires, class_target, state, rank, attempt, held, node_id, failures, losses, options,"
    " task_group, due_at, deadline_at, submitted_at, started_at, finished_at, run_s, wait_s, error"
)
_COLUMNS_NAMED: Final = _COLUMNS.replace("classes.name", "classes.name AS class_name").replace(
    "classes.requires, classes.target", "classes.requires AS class_requires, classes.target AS class_target"
)
_SEQ_MAX: Final = 2**63 - 1

_stored = msgspec.json.Decoder(list[_Stored])
_requires = msgspec.json.Decoder(list[tuple[str, str]])
_error = msgspec.json.Decoder(TaskError)


# --- tasks -----------------------------------------------------------------------------------------------------------


def task(connection: sqlite3.Connection, task_id: str) -> TaskView | None:
    """Give one task with payload and value."""
    found = bulk.read(connection, _stored, _COLUMNS, f"FROM {_TABLES} WHERE tasks.id = ?", (task_id,))
    if not found:
        return None
    statement = "SELECT payload, value FROM bodies LEFT JOIN outcomes USING (seq) WHERE seq = ?"
    row = connection.execute(statement, (found[0].seq,)).fetchone()
    payload, value = row if row is not None else (None, None)
    return msgspec.structs.replace(_view(found[0]), payload=payload, value=value)


def tasks(connection: sqlite3.Connection, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskPage:
    """Give a page of tasks, newest first.

    Raises:
        ValueError: the cursor is none of ours.
    """
    before = _seq_of(cursor)
    examined, values = _examined(chosen, before)
    condition, wanted = _condition(chosen)
    rest = (
        f"FROM (SELECT {_COLUMNS_NAMED} FROM ({examined}) AS examined JOIN {_TABLES_EXAMINED}"
        f" WHERE {condition} ORDER BY tasks.seq DESC LIMIT ?)"
    )
    # A label is looked at here: it stands inside of the options.
    room = EXAMINED_MAX if chosen.label is not None else limit
    found = bulk.read(connection, _stored, _NAMES, rest, (*values, *wanted, room))
    matching = found if chosen.label is None else [stored for stored in found if _has_label(stored, chosen.label)]
    page = [_view(stored) for stored in matching[:limit]]
    if len(matching) >= limit:
        return TaskPage(tasks=page, cursor=str(matching[limit - 1].seq))
    lowest, count = connection.execute(f"SELECT MIN(seq), COUNT(*) FROM ({examined})", values).fetchone()
    return TaskPage(tasks=page, cursor=str(lowest) if count == EXAMINED_MAX else None)


def values(connection: sqlite3.Connection, task_ids: Sequence[str]) -> dict[str, bytes]:
    """Give the values of those of these tasks that have succeeded."""
    statement = (
        "SELECT id, value FROM tasks JOIN outcomes USING (seq)"
        " WHERE id IN (SELECT value FROM json_each(?)) AND state = 3 AND value IS NOT NULL"
    )
    return dict(connection.execute(statement, (bulk.among(task_ids),)).fetchall())


def queue_place(connection: sqlite3.Connection, task_id: str) -> QueuePlace | None:
    """Give what is known about why a task does not run."""
    found = bulk.read(connection, _stored, _COLUMNS, f"FROM {_TABLES} WHERE tasks.id = ?", (task_id,))
    if not found:
        return None
    stored = found[0]
    view = _view(stored)
    position = None
    if view.state is TaskState.QUEUED:
        statement = (
            "SELECT COUNT(*) FROM tasks WHERE state = 1 AND class_id = (SELECT class_id FROM tasks WHERE seq = ?)"
            " AND (rank, seq) < (?, ?)"
        )
        position = 1 + int(connection.execute(statement, (stored.seq, stored.rank, stored.seq)).fetchone()[0])
    holders = 0
    key = view.options.concurrency_key
    if key is not None:
        statement = "SELECT COUNT(*) FROM tasks WHERE concurrency_key = ? AND held = 1"
        holders = int(connection.execute(statement, (key,)).fetchone()[0])
    return QueuePlace(view=view, position=position, concurrency_holders=holders)


def _examined(chosen: TaskFilter, before: int) -> tuple[str, list[bulk.Value]]:
    """Give a query for the ``seq`` of the rows that one page looks at, by the index that fits best, and its values."""
    if chosen.ids:
        return "SELECT seq FROM tasks WHERE id IN (SELECT value FROM json_each(?)) AND seq < ?", [
            bulk.among(chosen.ids),
            before,
        ]
    newest = f"AND seq < ? ORDER BY seq DESC LIMIT {EXAMINED_MAX}"
    if chosen.group:
        return f"SELECT seq FROM tasks WHERE task_group = ? AND task_group <> '' {newest}", [chosen.group, before]
    if not chosen.states or TaskState.SUCCEEDED in chosen.states:
        return f"SELECT seq FROM tasks WHERE 1 {newest}", [before]
    wanted = [code for state in set(chosen.states) for code in codes.codes_of(state)]
    # One ordered look for each code, then merged; what runs is found by who holds it.
    looks = [f"SELECT * FROM (SELECT seq FROM tasks {_indexed(code)} {newest})" for code in sorted(wanted)]
    merged = f"SELECT seq FROM ({' UNION ALL '.join(looks)}) ORDER BY seq DESC LIMIT {EXAMINED_MAX}"
    return merged, [before] * len(looks)


def _indexed(code: int) -> str:
    """Name the index that finds this state, with the words of its condition, so that SQLite may use it."""
    if code == codes.RUNNING:
        return "INDEXED BY tasks_held WHERE held = 1 AND state = 2"
    return f"INDEXED BY tasks_by_state WHERE state NOT IN (2, 3) AND state = {code}"


def _condition(chosen: TaskFilter) -> tuple[str, list[bulk.Value]]:
    """Give the condition that rows must meet, and its values."""
    parts = ["1"]
    values: list[bulk.Value] = []
    if chosen.states:
        wanted = sorted({code for state in chosen.states for code in codes.codes_of(state)})
        parts.append(f"+state IN ({', '.join(map(str, wanted))})")
    exact = (("classes.name", chosen.name), ("node_id", chosen.node), ("task_group", chosen.group))
    for column, value in exact:
        if value:
            parts.append(f"+{column} = ?")
            values.append(value)
    if chosen.origin:
        parts.append("options ->> 'origin' = ?")
        values.append(chosen.origin)
    if chosen.since is not None:
        parts.append("submitted_at >= ?")
        values.append(chosen.since)
    return " AND ".join(parts), values


def _has_label(stored: _Stored, label: tuple[str, str]) -> bool:
    return options_of(stored.options_text).labels.get(label[0]) == label[1]


def _seq_of(cursor: str | None) -> int:
    if cursor is None:
        return _SEQ_MAX
    if not (cursor.isascii() and cursor.isdecimal()) or len(cursor) > len(str(_SEQ_MAX)) or int(cursor) > _SEQ_MAX:
        raise ValueError(f"cursor is {cursor[:40]!r}; give one that an earlier page named, as it was")
    return int(cursor)


def _view(stored: _Stored) -> TaskView:
    options = options_of(stored.options_text)
    return TaskView(
        id=stored.id,
        name=stored.class_name,
        state=codes.STATES[stored.code],
        priority=-stored.rank,
        attempt=stored.attempt,
        failures=stored.failures,
        losses=stored.losses,
        node=stored.node_id or None,
        target=stored.class_target or None,
        requires=dict(_requires.decode(stored.class_requires)),
        labels=options.labels,
        origin=options.origin,
        group=stored.group,
        submitted_at=stored.submitted_at,
        due_at=stored.due_at,
        deadline_at=stored.deadline_at,
        started_at=stored.started_at,
        finished_at=stored.finished_at,
        run_s=stored.run_s,
        wait_s=stored.wait_s,
        error=None if stored.error is None else _error.decode(stored.error),
        options=options,
        held=stored.held == 1,
    )


# --- counts ----------------------------------------------------------------------------------------------------------


def stats(connection: sqlite3.Connection) -> StoreStats:
    """Count: tasks by the ledger, nodes by looking at them."""
    last_event_id, counts = connection.execute("SELECT last_event_id, counts FROM ledger").fetchone()
    nodes = dict.fromkeys(("online", "draining", "unreachable", "gone"), 0)
    nodes.update(connection.execute("SELECT state, COUNT(*) FROM nodes GROUP BY state").fetchall())
    sums = connection.execute(
        "SELECT TOTAL(succeeded), TOTAL(failed), TOTAL(cancelled), TOTAL(lost), TOTAL(run_s) FROM nodes"
    ).fetchone()
    return StoreStats(
        tasks=codes.by_state(msgspec.json.decode(counts)),
        nodes=nodes,
        totals=dict(zip(("succeeded", "failed", "cancelled", "lost", "run_s"), sums, strict=True)),
        last_event_id=last_event_id,
        oldest_queued_at=_oldest_queued_at(connection),
    )


def _oldest_queued_at(connection: sqlite3.Connection) -> float | None:
    """Give when the task that has been queued longest was submitted; parked ones count too."""
    row = connection.execute(
        "SELECT MIN(submitted_at) FROM tasks WHERE seq IN ("
        "(SELECT MIN(seq) FROM tasks WHERE state = 1 AND state NOT IN (2, 3)),"
        "(SELECT MIN(seq) FROM tasks WHERE state = 8 AND state NOT IN (2, 3)))"
    ).fetchone()
    return None if row is None else row[0]


# --- events ----------------------------------------------------------------------------------------------------------


def events(connection: sqlite3.Connection, after_id: int, limit: int) -> EventPage:
    """Give events behind an id, in order."""
    last_id = int(connection.execute("SELECT last_event_id FROM ledger").fetchone()[0])
    oldest = connection.execute("SELECT MIN(first_id) FROM event_batches").fetchone()[0]
    missed = after_id < last_id and (oldest is None or oldest > after_id + 1)
    found: list[Event] = []
    statement = (
        "SELECT first_id, body FROM event_batches WHERE first_id >="
        " IFNULL((SELECT MAX(first_id) FROM event_batches WHERE first_id <= ? + 1), 0) AND first_id + count > ? + 1"
        " ORDER BY first_id"
    )
    for _, body in connection.execute(statement, (after_id, after_id)):
        found += [event for event in event_texts.unpacked(body) if event.id > after_id]
        if len(found) >= limit:
            break
    return EventPage(events=found[:limit], last_id=last_id, missed=missed)
