"""Who may come in: tokens as people make them, as the store keeps them, and as the hub asks for them.

A secret is 256 random bits, so its SHA-256 can be neither guessed nor reversed, and a check costs a microsecond even
when a whole fleet reconnects. The secret is shown once and stored nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

from hub.errors import SettingsError
from hub.settings import DATABASE_NAME
from hub.store.contract import Store
from hub.store.errors import StoreRefusedError
from hub.store.now import Now
from hub.store.sqlite.store import SqliteStore
from hub.store.tokens import PutToken, TokenRow
from protocol.limits import LABEL_CHARACTERS_MAX, is_identifier

Role: TypeAlias = Literal["node", "submit", "read", "admin"]

# What people and secret scanners recognise; behind it stand 43 characters, 256 bits.
# Whoever means for ever gives none; a date beyond the year 9999 cannot be shown.
EXPIRES_IN_S_MAX = 100 * 365 * 86400.0

PREFIX: Final = "moor_"
SECRET_BYTES: Final = 32


# --- as people make them --------------------------------------------------------------------------------------------


class CreatedToken(Struct, frozen=True, kw_only=True):
    """A new token. This is the only time that its secret is seen."""

    id: str
    secret: str


class TokenView(Struct, frozen=True, kw_only=True):
    """A token without its secret. ``*_at`` are seconds since 1970."""

    id: str
    name: str
    role: Role
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    node_id: str | None


def create_token(
    state: Path, *, name: str, role: str, expires_in_s: float | None = None, node_id: str | None = None
) -> CreatedToken:
    """Make a token in the state folder of a hub, whether or not the hub runs.

    Args:
        state: the folder; it is made if it is not there, so that tokens can come before the first start.
        name: for people: whose it is.
        role: `node`, `read`, `submit` or `admin`.
        expires_in_s: how long it is good for; None: until it is revoked.
        node_id: for the role `node`: the only node that may use it; None: any.

    Raises:
        SettingsError: a value that no token can have.
        StoreError: the database cannot be opened or written.
    """
    row, secret = _new_token(name, _role(role), expires_in_s, node_id, time.time())
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(SqliteStore.open_beside(state / DATABASE_NAME)) as store:
        _put(store, row)
    return CreatedToken(id=row.token_id, secret=secret)


def list_tokens(state: Path) -> list[TokenView]:
    """Give all tokens by age, revoked and expired ones too.

    Raises:
        StoreError: there is no database, or it cannot be opened.
    """
    with closing(_open_existing(state)) as store:
        return [_view(row) for row in store.tokens()]


def revoke_token(state: Path, token_id: str) -> bool:
    """End a token, and within a second what was opened with it; False if there is none. Twice is harmless.

    Raises:
        StoreError: there is no database, or it cannot be opened or written.
    """
    with closing(_open_existing(state)) as store:
        for row in store.tokens():
            if row.token_id == token_id:
                _put(store, msgspec.structs.replace(row, revoked_at=time.time()))
                return True
    return False


def _role(role: str) -> Role:
    for known in get_args(Role):
        if role == known:
            found: Role = known
            return found
    raise SettingsError(f"role is {role!r}", f"one of {', '.join(get_args(Role))}")


def _new_token(
    name: str, role: Role, expires_in_s: float | None, node_id: str | None, now_wall_s: float
) -> tuple[TokenRow, str]:
    if len(name) > LABEL_CHARACTERS_MAX or not name.isprintable():
        raise SettingsError(f"name is {name[:60]!r}", f"at most {LABEL_CHARACTERS_MAX} printable characters")
    if expires_in_s is not None and not 0 < expires_in_s <= EXPIRES_IN_S_MAX:
        raise SettingsError(f"expires_in_s is {expires_in_s:g}", "give a time span above 0, and at most 100 years")
    if node_id is not None and role != "node":
        raise SettingsError(f"node_id is {node_id!r} and role is {role!r}", "only a token of role node is for one node")
    if node_id is not None and not is_identifier(node_id):
        raise SettingsError(f"node_id is {node_id[:60]!r}", "1-128 characters of A-Za-z0-9_.:@-")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    row = TokenRow(
        token_id=f"tok_{secrets.token_hex(6)}",
        name=name,
        role=role,
        digest=digest_of(secret),
        created_at=now_wall_s,
        expires_at=None if expires_in_s is None else now_wall_s + expires_in_s,
        node_id=node_id,
    )
    return row, secret


def _open_existing(state: Path) -> SqliteStore:
    path = state / DATABASE_NAME
    if not path.is_file():
        raise StoreRefusedError(f"there is no {path}; give the state folder of a hub that has run or has tokens")
    return SqliteStore.open_beside(path)


def _put(store: Store, row: TokenRow) -> None:
    now_s = time.time()
    answer = store.execute([PutToken(token=row)], Now(now_s, now_s)).answers[0]
    if isinstance(answer, Exception):
        raise answer


def _view(row: TokenRow) -> TokenView:
    return TokenView(
        id=row.token_id,
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        node_id=row.node_id,
    )


# --- as the hub asks for them ---------------------------------------------------------------------------------------


class Grant(Struct, frozen=True, kw_only=True):
    """What a secret that was shown allows. ``node_id``: the only node it may speak for; None: any. ``name`` is for
    people.
    """

    token_id: str
    role: Role
    name: str = ""
    node_id: str | None = None


def digest_of(secret: str) -> bytes:
    """Give what is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class TokenBook:
    """The store's tokens in memory, so that a check asks no database. Pure: it is handed the rows and the time."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, TokenRow] = {}
        self._by_id: dict[str, TokenRow] = {}
        self._valid: frozenset[str] = frozenset()
        self._lent: list[TokenRow] = []

    @property
    def has_tokens(self) -> bool:
        """Whether any token was ever made. Revoking the last one locks everybody out; it does not open the door. What
        is only lent closes no door either.
        """
        return len(self._by_digest) > len(self._lent)

    def lend(self, name: str, now_wall_s: float) -> str:
        """Make an administrator's token that is known to this book alone, and ends with it; give its secret."""
        row, secret = _new_token(name, "admin", None, None, now_wall_s)
        self._lent.append(row)
        self._by_digest[row.digest] = self._by_id[row.token_id] = row
        self._valid |= {row.token_id}
        return secret

    def replace(self, rows: Iterable[TokenRow], now_wall_s: float = 0.0) -> frozenset[str]:
        """Take the rows as they are now; give the ids of tokens that were good before and are not any more.

        Whatever was opened with one of those is to be closed.
        """
        self._by_digest = {row.digest: row for row in [*rows, *self._lent]}
        self._by_id = {row.token_id: row for row in self._by_digest.values()}
        before = self._valid
        self._valid = frozenset(row.token_id for row in self._by_digest.values() if _is_valid(row, now_wall_s))
        return before - self._valid

    def check(self, secret: str, now_wall_s: float) -> Grant | None:
        """Give what this secret allows, or None if it is unknown, revoked or expired."""
        digest = digest_of(secret)
        row = self._by_digest.get(digest)
        if row is None or not hmac.compare_digest(row.digest, digest) or not _is_valid(row, now_wall_s):
            return None
        return _grant(row)

    def grant(self, token_id: str, now_wall_s: float) -> Grant | None:
        """Give what the token with this id allows, or None if it is unknown, revoked or expired.

        For those who have proved earlier that they hold it: an id is no secret.
        """
        row = self._by_id.get(token_id)
        return _grant(row) if row is not None and _is_valid(row, now_wall_s) else None


def _grant(row: TokenRow) -> Grant:
    return Grant(token_id=row.token_id, role=row.role, name=row.name, node_id=row.node_id)


def _is_valid(row: TokenRow, now_wall_s: float) -> bool:
    return row.revoked_at is None and (row.expires_at is None or now_wall_s < row.expires_at)
