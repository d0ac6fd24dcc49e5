"""Who may talk to the hub, as it is stored."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class PutToken(Struct, frozen=True, kw_only=True):
    """Store a new token, or revoke one: ``revoked_at`` set. Answer: bool, whether anything changed; if so, the audit
    log has a line about it, from ``who``.
    """

    token: TokenRow
    who: str = "command line"


class TokenRow(Struct, frozen=True, kw_only=True):
    """A token as it is stored: ``digest`` is the SHA-256 of its secret, and the secret is nowhere."""

    token_id: str
    name: str
    role: Literal["node", "submit", "read", "admin"]
    digest: bytes
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    node_id: str | None = None
