"""Tokens. The command line writes them beside a running hub, so nothing of them is remembered here."""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from typing import Final

from hub.store.history import Deed
from hub.store.sqlite import audit
from hub.store.sqlite.transaction import Transaction
from hub.store.tokens import PutToken, TokenRow

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
