"""Tokens. The command line writes them beside a running hub, so nothing of them is remembered here."""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from typing import Final

from hub.store.history import Deed
from hub.store.now import Now
from hub.store.sqlite import audit
from hub.store.sqlite.transaction import Transaction
from hub.store.tokens import PutToken, TokenRow

# How long a token that is revoked or has run out is still listed. All are read twice a second, and where each job has
# one of its own they pile up.
ENDED_KEPT_S: Final = 30 * 24 * 3600.0

# The newest token stays: that there was one at all keeps the door shut.
_NOT_THE_NEWEST: Final = "id <> (SELECT id FROM tokens ORDER BY created_at DESC, id DESC LIMIT 1)"

_HAS_ENDED: Final = "(revoked_at IS NOT NULL OR IFNULL(expires_at <= ?, FALSE))"

_COLUMNS: Final = "id, name, role, digest, created_at, expires_at, revoked_at, node_id"


def put(tx: Transaction, operation: PutToken) -> bool:
    """Store a token, or revoke one; a revoked token stays revoked."""
    token = operation.token
    changed = tx.connection.execute(
        f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at"
        " WHERE revoked_at IS NULL AND excluded.revoked_at IS NOT NULL",
        (
            token.token_id,
            token.name,
            token.role,
            token.digest,
            token.created_at,
            token.expires_at,
            token.revoked_at,
            token.node_id,
        ),
    ).rowcount
    if changed:
        audit.write(tx, _deed(operation))
    return changed > 0


def _deed(operation: PutToken) -> Deed:
    token = operation.token
    action = "token.create" if token.revoked_at is None else "token.revoke"
    # The node's id, if the token is for one node only, is no less of interest than the role.
    words = (token.role, token.name, f"node {token.node_id}" if token.node_id else "")
    detail = ", ".join(word for word in words if word)
    return Deed(who=operation.who, role="admin", address="", action=action, target=token.token_id, detail=detail)


def of_all(connection: sqlite3.Connection) -> list[TokenRow]:
    """Give all tokens by age."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at, id").fetchall()
    return [
        TokenRow(
            token_id=token_id,
            name=name,
            role=role,
            digest=digest,
            created_at=created_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
            node_id=node_id,
        )
        for token_id, name, role, digest, created_at, expires_at, revoked_at, node_id in found
    ]


def remove_ended(connection: sqlite3.Connection, now: Now, batch: int) -> int:
    """Remove tokens that ended long ago; give how many.

    Since when is counted by the steady clock: one that only seemed to have run out, while the time was wrong, stays.
    """
    connection.execute(
        f"UPDATE tokens SET ended_s = ? WHERE ended_s IS NULL AND {_HAS_ENDED}", (now.steady_s, now.wall_s)
    )
    until_s = now.steady_s - ENDED_KEPT_S
    connection.execute(
        f"UPDATE tokens SET ended_s = NULL WHERE ended_s <= ? AND NOT {_HAS_ENDED}", (until_s, now.wall_s)
    )
    old = f"SELECT id FROM tokens WHERE ended_s <= ? AND {_NOT_THE_NEWEST} LIMIT ?"
    return connection.execute(f"DELETE FROM tokens WHERE id IN ({old})", (until_s, batch)).rowcount
