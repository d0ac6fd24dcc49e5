"""The audit log: who did what, a line each, in order."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec
from msgspec import Struct

from hub.store.history import AuditEntry, AuditPage, Deed, NoteDeed
from hub.store.now import Now
from hub.store.sqlite import bulk
from hub.store.sqlite.transaction import Transaction

# A year, or a hundred thousand lines (some 20 MB), whichever is less.
KEPT_S: Final = 366 * 24 * 3600.0
KEPT_MAX: Final = 100_000


class _Stored(Struct, array_like=True):
    id: int
    at: float
    who: str
    role: str
    address: str
    action: str
    target: str
    detail: str


_stored = msgspec.json.Decoder(list[_Stored])


def note(tx: Transaction, operation: NoteDeed) -> None:
    """Write a line."""
    write(tx, operation.deed)


def write(tx: Transaction, deed: Deed) -> None:
    """Write a line in the transaction of what is done."""
    now = tx.now
    tx.connection.execute(
        "INSERT INTO audit (at, kept_from, who, role, address, action, target, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (now.wall_s, now.steady_s, deed.who, deed.role, deed.address, deed.action, deed.target, deed.detail),
    )


def remove_old(connection: sqlite3.Connection, now: Now, batch: int) -> int:
    """Remove lines past their age and those beyond the count, oldest first; give how many."""
    statement = (
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id <= (SELECT MAX(id) FROM audit) - ?"
        " UNION ALL SELECT id FROM audit WHERE kept_from < ? LIMIT ?)"
    )
    return connection.execute(statement, (KEPT_MAX, now.steady_s - KEPT_S, batch)).rowcount


def page(connection: sqlite3.Connection, limit: int, before_id: int) -> AuditPage:
    """Give lines with ids below ``before_id``, newest first."""
    rest = "FROM (SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?)"
    columns = "id, at, who, role, address, action, target, detail"
    # One more than is asked for tells whether there is another page.
    found = bulk.read(connection, _stored, columns, rest, (before_id, limit + 1))
    entries = [_entry(line) for line in found[:limit]]
    return AuditPage(entries=entries, cursor=entries[-1].id if len(found) > limit else None)


def _entry(line: _Stored) -> AuditEntry:
    deed = Deed(
        who=line.who,
        role=line.role,
        address=line.address,
        action=line.action,
        target=line.target,
        detail=line.detail,
    )
    return AuditEntry(id=line.id, at=line.at, deed=deed)
