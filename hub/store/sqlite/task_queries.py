"""Questions about tasks, on a connection that cannot write.

A list goes from the newest task to older ones. Each page looks at a bounded number of rows, chosen by the index that
fits best; all other conditions are looked at in those rows alone, inside of SQLite.
"""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from hub.decisions.filter_terms import Term, exactly, states_of
from hub.decisions.lifecycle import TaskState
from hub.store.sqlite import bulk, codes
from hub.store.sqlite.conditions import Condition, all_of
from hub.store.sqlite.connection import snapshot
from hub.store.sqlite.rows import options_of
from hub.store.sqlite.task_terms import ORIGIN, label_path, of_term
from hub.store.task_views import QueuePlace, TaskFilter, TaskIdPage, TaskPage, TaskView
from protocol.frames import TaskError

# Rows that one page looks at, whatever it finds: some 10 ms. The cursor goes on from there.
EXAMINED_MAX: Final = 5_000

# A row takes some microseconds with so many values to look for in its texts; with more, a page looks at fewer rows, but
# never at fewer than these.
VALUES_FREE: Final = 8
EXAMINED_MIN: Final = 100

# Rows that are looked at first for each task of a page.
FEW_FOR_EACH: Final = 4


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


class _Key(Struct, array_like=True):
    """Where a task stands in the order of lists, and its id."""

    seq: int
    id: str


K = TypeVar("K", bound="_Stored | _Key")

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
_keys = msgspec.json.Decoder(list[_Key])
_requires = msgspec.json.Decoder(list[tuple[str, str]])
_error = msgspec.json.Decoder(TaskError)


def task(connection: sqlite3.Connection, task_id: str) -> TaskView | None:
    """Give one task with payload and value."""
    found = bulk.read(connection, _stored, _COLUMNS, f"FROM {_TABLES} WHERE tasks.id = ?", (task_id,))
    if not found:
        return None
    statement = "SELECT payload, value FROM bodies LEFT JOIN outcomes USING (seq) WHERE seq = ?"
    row = connection.execute(statement, (found[0].seq,)).fetchone()
    payload, value = row if row is not None else (None, None)
    return msgspec.structs.replace(_view(found[0]), payload=payload, value=value)


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


# --- lists -----------------------------------------------------------------------------------------------------------


def tasks(connection: sqlite3.Connection, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskPage:
    """Give a page of tasks, newest first.

    Raises:
        ValueError: the cursor is none of ours.
    """
    with snapshot(connection):
        found, place = _page(connection, _stored, _NAMES, _COLUMNS_NAMED, chosen, limit, cursor)
    return TaskPage(tasks=[_view(stored) for stored in found], cursor=place)


def task_ids(connection: sqlite3.Connection, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskIdPage:
    """Give the ids of a page of tasks, newest first.

    Raises:
        ValueError: the cursor is none of ours.
    """
    with snapshot(connection):
        found, place = _page(connection, _keys, "seq, id", "tasks.seq, tasks.id", chosen, limit, cursor)
    return TaskIdPage(ids=[key.id for key in found], cursor=place)


def _page(
    connection: sqlite3.Connection,
    decoder: msgspec.json.Decoder[list[K]],
    names: str,
    columns: str,
    chosen: TaskFilter,
    limit: int,
    cursor: str | None,
) -> tuple[list[K], str | None]:
    """Give the rows of a page, and where the next one begins.

    That is behind the last task of a full page, else behind the last row that was looked at. First a few rows are
    looked at: mostly they fill the page, and thousands need not be sorted for it.
    """
    before = _seq_of(cursor)
    condition = _condition(chosen)
    found: list[K] = []
    lowest = before
    rows_max = _rows_max(chosen.terms)
    for room in (min(FEW_FOR_EACH * limit, rows_max), rows_max):
        examined = _examined(chosen, before, room)
        rest = (
            f"FROM (SELECT {columns} FROM ({examined.text}) AS examined JOIN {_TABLES_EXAMINED}"
            f" WHERE {condition.text} ORDER BY tasks.seq DESC LIMIT ?)"
        )
        found = bulk.read(connection, decoder, names, rest, (*examined.values, *condition.values, limit))
        if len(found) >= limit:
            return found, str(found[-1].seq)
        statement = f"SELECT MIN(seq), COUNT(*) FROM ({examined.text})"
        lowest, count = connection.execute(statement, examined.values).fetchone()
        if count < room:
            return found, None
    return found, str(lowest)


def _rows_max(terms: Sequence[Term]) -> int:
    """Give how many rows a page may look at: the fewer, the more values it looks for in each."""
    values = sum(len(term.values) for term in terms if term.op.endswith("~"))
    return max(EXAMINED_MIN, EXAMINED_MAX // max(1, values // VALUES_FREE))


def _examined(chosen: TaskFilter, before: int, room: int) -> Condition:
    """Give a query for the ``seq`` of the rows that one page looks at, at most ``room``, by the index that fits best.

    Only where ids are named there may be more: as many as a filter has space for.
    """
    ids = chosen.ids or exactly(chosen.terms, "id")
    if ids:
        text = "SELECT seq FROM tasks WHERE id IN (SELECT value FROM json_each(?)) AND seq < ?"
        return Condition(text, (bulk.among(ids), before))
    newest = "AND seq < ? ORDER BY seq DESC LIMIT ?"
    group = chosen.group or _only(exactly(chosen.terms, "group"))
    if group:
        return Condition(
            f"SELECT seq FROM tasks WHERE task_group = ? AND task_group <> '' {newest}", (group, before, room)
        )
    error_key = _only(exactly(chosen.terms, "errorgroup"))
    if error_key:
        alike = "SELECT seq FROM outcomes WHERE error_key = ? AND error_key IS NOT NULL"
        return Condition(f"{alike} {newest}", (error_key, before, room))
    states = _states(chosen)
    if states is None or TaskState.SUCCEEDED in states:
        return Condition(f"SELECT seq FROM tasks WHERE 1 {newest}", (before, room))
    # One ordered look for each code, then merged; what runs is found by who holds it.
    looks = [f"SELECT * FROM (SELECT seq FROM tasks {_indexed(code)} {newest})" for code in _codes(states)]
    if not looks:
        return Condition("SELECT seq FROM tasks WHERE 0")
    merged = f"SELECT seq FROM ({' UNION ALL '.join(looks)}) ORDER BY seq DESC LIMIT ?"
    return Condition(merged, (*(before, room) * len(looks), room))


def _indexed(code: int) -> str:
    """Name the index that finds this state, with the words of its condition, so that SQLite may use it."""
    if code == codes.RUNNING:
        return "INDEXED BY tasks_held WHERE held = 1 AND state = 2"
    return f"INDEXED BY tasks_by_state WHERE state NOT IN (2, 3) AND state = {code}"


def _states(chosen: TaskFilter) -> frozenset[TaskState] | None:
    """Give the states that are asked for; None for any."""
    left = frozenset(chosen.states) or None
    named = states_of(chosen.terms)
    if named is None:
        return left
    return frozenset(state for state in left or TaskState if state.value in named)


def _codes(states: frozenset[TaskState]) -> list[int]:
    return sorted(code for state in states for code in codes.codes_of(state))


def _only(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else ""


def _condition(chosen: TaskFilter) -> Condition:
    """Give the condition that tasks must meet. A plus keeps SQLite from looking for another index than the chosen."""
    parts: list[Condition] = []
    states = _states(chosen)
    if states is not None:
        parts.append(Condition(f"+state IN ({', '.join(map(str, _codes(states)))})"))
    exact = (("classes.name", chosen.name), ("node_id", chosen.node), ("task_group", chosen.group))
    parts += [Condition(f"+{column} = ?", (value,)) for column, value in exact if value]
    if chosen.origin:
        parts.append(Condition(f"{ORIGIN} = ?", (chosen.origin,)))
    if chosen.label is not None:
        key, value = chosen.label
        # Unlike in a term, an empty value does not mean that there is no such label.
        parts.append(Condition("options ->> ? = ?", (label_path(key), value)))
    if chosen.since is not None:
        parts.append(Condition("submitted_at >= ?", (chosen.since,)))
    parts += [of_term(term, chosen.at) for term in chosen.terms if term.field != "state"]
    return all_of(parts)


# --- inside ----------------------------------------------------------------------------------------------------------


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
