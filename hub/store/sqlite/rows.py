"""Stored tasks as the verbs read them, and the values that decisions take."""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from hub.store.assignments import Assignment
from hub.store.attempts import TaskRow
from hub.store.sqlite import bulk
from hub.store.sqlite.codes import STATES
from hub.store.tasks import DEFAULT_OPTIONS, TaskOptions

# Tasks of one client mostly carry the same few options; each text is decoded once.
OPTIONS_REMEMBERED_MAX: Final = 4096

# A payload up to this size comes along with its row; a larger one is fetched by itself, so that no answer of SQLite
# grows beyond some megabytes.
SMALL_PAYLOAD_BYTES: Final = 4096


class StoredTask(Struct, array_like=True, gc=False):
    """One row of `tasks`, as far as decisions need it. ``payload`` and ``submitted_at`` only where they were asked for,
    and the payload only if it is small.
    """

    seq: int
    task_id: str
    class_id: int
    code: int
    rank: int
    attempt: int
    held: int
    node_id: str
    instance_id: str
    failures: int
    losses: int
    options_text: str | None
    group: str
    deadline_at: float | None
    payload: str | None = None
    submitted_at: float | None = None

    @property
    def options(self) -> TaskOptions:
        """How it is to be run."""
        return options_of(self.options_text)

    @property
    def key(self) -> str | None:
        """Its concurrency key."""
        return None if self.options_text is None else options_of(self.options_text).concurrency_key


COLUMNS: Final = (
    "tasks.seq, tasks.id, class_id, state, rank, attempt, held, node_id, instance_id, failures, losses, options,"
    " task_group, deadline_at"
)

PAYLOAD_COLUMN: Final = f"CASE WHEN length(payload) <= {SMALL_PAYLOAD_BYTES} THEN CAST(payload AS TEXT) END"

_tasks = msgspec.json.Decoder(list[StoredTask])
_options = msgspec.json.Decoder(TaskOptions)
_encode = msgspec.json.Encoder().encode


@lru_cache(OPTIONS_REMEMBERED_MAX)
def _decode_options(text: str) -> TaskOptions:
    return _options.decode(text)


def options_of(text: str | None) -> TaskOptions:
    """Give the options that are stored as this text."""
    return DEFAULT_OPTIONS if text is None else _decode_options(text)


def options_text(options: TaskOptions) -> str | None:
    """Give the text that these options are stored as."""
    text = _encode(options)
    return None if text == b"{}" else text.decode()


def select(connection: sqlite3.Connection, rest: str, values: bulk.Row = ()) -> list[StoredTask]:
    """Give the tasks that ``FROM tasks`` with ``rest`` finds."""
    return bulk.read(connection, _tasks, COLUMNS, f"FROM tasks {rest}", values)


def select_ordered(
    connection: sqlite3.Connection, condition: str, order: str, values: bulk.Row = (), *, payload: bool = False
) -> list[StoredTask]:
    """Give tasks in an order: ``order`` may end with a LIMIT."""
    more = f", {PAYLOAD_COLUMN} AS payload, submitted_at" if payload else ""
    columns, tables = f"{COLUMNS}{more}", "tasks JOIN bodies USING (seq)" if payload else "tasks"
    inner = f"SELECT {columns} FROM {tables} WHERE {condition} ORDER BY {order}"
    outer = COLUMNS.replace("tasks.", "") + (", payload, submitted_at" if payload else "")
    return bulk.read(connection, _tasks, outer, f"FROM ({inner})", values)


def by_ids(connection: sqlite3.Connection, task_ids: Iterable[str]) -> dict[str, StoredTask]:
    """Give those of these tasks that exist, by id."""
    wanted = list(task_ids)
    if len(wanted) == 1:
        found = select(connection, "WHERE tasks.id = ?", wanted)
    else:
        found = select(connection, "WHERE tasks.id IN (SELECT value FROM json_each(?))", (bulk.among(wanted),))
    return {task.task_id: task for task in found}


def payload_of(connection: sqlite3.Connection, task: StoredTask) -> bytes:
    """Give the payload of a task."""
    if task.payload is not None:
        return task.payload.encode()
    row = connection.execute("SELECT payload FROM bodies WHERE seq = ?", (task.seq,)).fetchone()
    return bytes(row[0])


def row_of(task: StoredTask) -> TaskRow:
    """Give what the pure decisions take."""
    options = options_of(task.options_text)
    return TaskRow(
        task_id=task.task_id,
        state=STATES[task.code],
        attempt=task.attempt,
        held=task.held == 1,
        node_id=task.node_id,
        instance_id=task.instance_id,
        failures=task.failures,
        losses=task.losses,
        retry=options.retry,
        on_lost=options.on_lost,
    )


def assignment_of(task: StoredTask, name: str, payload: bytes) -> Assignment:
    """Give the push of a task's newest attempt."""
    options = options_of(task.options_text)
    return Assignment(
        task_id=task.task_id,
        attempt=task.attempt,
        node_id=task.node_id,
        instance_id=task.instance_id,
        name=name,
        payload=payload,
        timeout_s=options.timeout_s,
        lease_s=options.lease_s,
    )
