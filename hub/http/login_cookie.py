"""Logins of browsers: what their cookie says, signed, so that it holds over a restart of the hub and is stored nowhere.

A login names the token that it was made with and when it ends. It is worth what that token is worth at the moment: a
revoked token ends all logins that were made with it. The key that signs lies in the hub's state folder.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import logging
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

KEY_NAME: Final = "login.key"
KEY_BYTES: Final = 32

# A week: who is on call logs in once, and a cookie that leaks ends by itself.
LOGIN_S: Final = 7 * 86400.0

# Changed when the text's form changes: old logins end then.
_FORM: Final = "1"


class LoginSigner:
    """Makes and reads the texts of login cookies. Pure: it is handed the key and the time.

    Args:
        key: 32 secret bytes. Who has them can log in as anybody.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, token_id: str, now_wall_s: float) -> str:
        """Give the text of a cookie for a login with this token."""
        said = f"{_FORM}.{token_id}.{int(now_wall_s + LOGIN_S)}"
        return f"{said}.{self._signature('login', said)}"

    def token_of(self, text: str, now_wall_s: float) -> str | None:
        """Give the id of the token that a cookie was made with; None: it was not made here, or has ended."""
        said, _, signature = text.rpartition(".")
        if not _equal(signature, self._signature("login", said)):
            return None
        _, token_id, ends_at = said.split(".")
        return token_id if now_wall_s < int(ends_at) else None

    def csrf_of(self, text: str) -> str:
        """Give what a page must send along with an unsafe request under this cookie: other sites cannot know it."""
        return self._signature("csrf", text)

    def is_csrf_of(self, text: str, shown: str) -> bool:
        """Tell whether ``shown`` is what `csrf_of` gives for this cookie."""
        return _equal(shown, self.csrf_of(text))

    def _signature(self, purpose: str, said: str) -> str:
        digest = hmac.digest(self._key, f"{purpose}:{said}".encode("utf-8", "surrogatepass"), sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def new_key() -> bytes:
    """Give a key that nobody else has."""
    return secrets.token_bytes(KEY_BYTES)


def kept_key(state: Path) -> bytes:
    """Give the key in this state folder; make it if there is none, or if others could read it or it is damaged.

    Where it cannot be written the logins of this run end with it: no reason to keep a hub from starting.
    """
    path = state / KEY_NAME
    key = _read(path)
    if key is not None:
        return key
    key = new_key()
    try:
        _write(path, key)
    except OSError as error:
        logger.warning("logins to the web page will end with this run: %s", error)
    return key


def _read(path: Path) -> bytes | None:
    try:
        is_private = not stat.S_IMODE(path.stat().st_mode) & 0o077
        key = base64.b64decode(path.read_bytes(), validate=True)
    except (OSError, binascii.Error):
        return None
    return key if is_private and len(key) == KEY_BYTES else None


def _write(path: Path, key: bytes) -> None:
    """Put the key there whole or not at all, for its owner alone."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
