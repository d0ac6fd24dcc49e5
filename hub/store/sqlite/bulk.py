"""Many rows in one step of SQLite.

Python's sqlite3 gives up the interpreter lock around each step and takes it again afterwards. While the event loop is
busy each return waits for a turn: measured next to a busy thread, `executemany` wrote 287 rows/s (190,000 next to an
idle one), and statements of 64 rows 11,000 to 100,000, depending on the switch interval. Reading has the same price: a
row, a step. So everything that touches many rows goes through here: rows are written by statements that carry up to 256
of them, and read as one JSON text that SQLite puts together.
"""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import TypeAlias, TypeVar

import msgspec

# Python's sqlite3 asks its table of adapters for each None and each `bytes` on its way in, which takes four times as
# long as to bind a text: many rows bring a `bytearray`, and leave out the columns that would be NULL.
Value: TypeAlias = str | bytes | bytearray | int | float | None
Row: TypeAlias = Sequence[Value]
T = TypeVar("T")

# Rows of one statement, largest first. Above 256 nothing is gained, and with up to 20 columns it stays far below
# SQLite's 32,766 parameters; the smaller ones take what is left without a statement of its own for each count.
CHUNKS = (256, 64, 16, 4, 1)

_COLUMN = re.compile(r"(?:change\.)?\bcolumn(\d+)\b")

_encode = msgspec.json.Encoder().encode


def insert(connection: sqlite3.Connection, table: str, columns: str, rows: Sequence[Row], suffix: str = "") -> None:
    """Insert rows. ``columns`` are comma-separated; ``suffix`` is an ON CONFLICT clause."""
    _write(connection, _insert_statement, table, columns, suffix, rows)


def update(connection: sqlite3.Connection, table: str, key: str, assignments: str, rows: Sequence[Row]) -> int:
    """Change rows, each found by the first value of a row; give how many there were.

    ``key`` is the column that the first value is compared with; ``assignments`` name the other values ``column2``,
    ``column3`` and so on.
    """
    several = len(rows) - len(rows) % CHUNKS[-2]
    changed = _write(connection, _update_statement, table, key, assignments, rows[:several])
    for row in rows[several:]:
        statement, order = _update_one_statement(table, key, assignments)
        changed += connection.execute(statement, [row[column] for column in order]).rowcount
    return changed


def delete(connection: sqlite3.Connection, table: str, key: str, values: Iterable[Value]) -> None:
    """Delete the rows whose ``key`` is one of these integers or texts."""
    statement = f"DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))"
    connection.execute(statement, (_encode(list(values)).decode(),))


def read(
    connection: sqlite3.Connection, decoder: msgspec.json.Decoder[list[T]], columns: str, rest: str, values: Row = ()
) -> list[T]:
    """Give rows as the decoder's values: ``SELECT columns rest`` in one step."""
    text: str = connection.execute(_read_statement(columns, rest), values).fetchone()[0]
    return decoder.decode(text)


def among(values: Iterable[Value]) -> str:
    """Give the parameter for ``IN (SELECT value FROM json_each(?))``."""
    return _encode(list(values)).decode()


def among_rows(rows: Iterable[Row]) -> str:
    """Give the parameter for a join with ``json_each(?)``; ``value ->> 0`` is a row's first value."""
    return _encode(list(rows)).decode()


def _write(
    connection: sqlite3.Connection,
    statement: Callable[[str, str, str, int, int], str],
    table: str,
    first: str,
    second: str,
    rows: Sequence[Row],
) -> int:
    changed = 0
    start = 0
    count = len(rows)
    width = len(rows[0]) if rows else 0
    for size in CHUNKS:
        while count - start >= size:
            text = statement(table, first, second, width, size)
            values = list(chain.from_iterable(rows[start : start + size]))
            changed += connection.execute(text, values).rowcount
            start += size
    return changed


def _marks(width: int, size: int) -> str:
    row = f"({','.join('?' * width)})"
    return ",".join([row] * size)


# Bounded by the statements of this package times the sizes.
@cache
def _insert_statement(table: str, columns: str, suffix: str, width: int, size: int) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES {_marks(width, size)} {suffix}"


@cache
def _update_statement(table: str, key: str, assignments: str, width: int, size: int) -> str:
    values = f"(VALUES {_marks(width, size)}) AS change"
    return f"UPDATE {table} SET {assignments} FROM {values} WHERE {table}.{key} = change.column1"


@cache
def _update_one_statement(table: str, key: str, assignments: str) -> tuple[str, list[int]]:
    """Give the statement for one row, which needs no table of values, and which value stands for each parameter."""
    text = f"UPDATE {table} SET {assignments} WHERE {key} = column1"
    order = [int(number) - 1 for number in _COLUMN.findall(text)]
    return _COLUMN.sub("?", text), order


# Filters make ever new statements; what fits here is what SQLite keeps prepared, too (connection.STATEMENTS_MAX).
@lru_cache(512)
def _read_statement(columns: str, rest: str) -> str:
    return f"SELECT json_group_array(json_array({columns})) {rest}"
