"""Who may ask what: tokens by role, and no other web site's pages.

A hub that has no tokens serves this machine alone. Then a page in a browser of this machine is the stranger to keep
out: by its `Origin`, and by the `Host` that it named, since a name that an attacker owns can be pointed at 127.0.0.1
(DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from hub.http.errors import ForbiddenError, UnauthorizedError
from hub.settings import is_loopback
from hub.tokens import Role, TokenBook

# What each role of the API may do includes what the ones before it may. A `node` token opens sessions and nothing else.
_RANKS: Final[dict[Role, int]] = {"read": 0, "submit": 1, "admin": 2}

TOKEN_ID: Final = web.RequestKey("token_id", str)
"""Where a request carries the id of its token, once it is let in; empty where none is needed."""

# Clients of one hub name it in few ways; each is looked at once.
HOSTS_REMEMBERED_MAX: Final = 256

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Door:
    """Lets requests in or raises.

    Args:
        tokens: the tokens there are.
        http_host: the address on which the hub listens.
        wall_s: gives the wall clock's time.
    """

    def __init__(self, tokens: TokenBook, http_host: str, wall_s: Callable[[], float]) -> None:
        self._tokens = tokens
        self._http_host = http_host
        self._is_local = is_loopback(http_host)
        self._wall_s = wall_s

    def check(self, request: web.Request, role: Role) -> str:
        """Let a request in that needs ``role``; give the id of its token, empty where none is needed.

        Raises:
            UnauthorizedError: there is no good token.
            ForbiddenError: its role does not allow this, or another site's page asks.
        """
        headers = request.headers
        host = headers.get("Host", "")
        origin = headers.get("Origin")
        if origin is not None and not is_same_site(origin, host):
            raise ForbiddenError(f"a page of {origin[:100]} asks", "ask from the hub's own pages, or from a program")
        if self._tokens.has_tokens:
            return self._check_token(headers.get("Authorization", ""), role)
        if self._is_local and host and not names_this_machine(host, self._http_host):
            message = f"the Host header is {host[:100]!r}, and this hub serves its own machine alone"
            remedy = f"use http://{self._http_host}, or make tokens and let the hub listen on that name"
            raise ForbiddenError(message, remedy)
        return ""

    def _check_token(self, authorization: str, role: Role) -> str:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            remedy = f"send Authorization: Bearer …; make a token with `moorline token create --role {role}`"
            raise UnauthorizedError("a token is needed", remedy)
        grant = self._tokens.check(secret.strip(), self._wall_s())
        if grant is None:
            remedy = f"make another with `moorline token create --role {role}`"
            raise UnauthorizedError("the token is unknown, revoked or expired", remedy)
        if _RANKS.get(grant.role, -1) < _RANKS[role]:
            message = f"the token {grant.token_id} has the role {grant.role}"
            raise ForbiddenError(message, f"this needs a token with the role {role}")
        return grant.token_id


def is_same_site(origin: str, host: str) -> bool:
    """Tell whether a page from ``origin`` (RFC 6454) came from the same server as the one that ``host`` names.

    The scheme is not compared: behind a proxy with TLS the hub does not know its own.
    """
    try:
        parts = urlsplit(origin.lower())
        mine = urlsplit(f"//{host.lower()}")
        default = _DEFAULT_PORTS.get(parts.scheme)
        return (
            parts.hostname is not None
            and parts.hostname == mine.hostname
            and (parts.port or default) == (mine.port or default)
        )
    except ValueError:
        # A port that is no number: nobody's site.
        return False


@lru_cache(HOSTS_REMEMBERED_MAX)
def names_this_machine(host: str, http_host: str) -> bool:
    """Tell whether a `Host` header names this machine's loopback, or the address on which the hub listens."""
    try:
        name = urlsplit(f"//{host.lower()}").hostname
    except ValueError:
        return False
    return name is not None and (is_loopback(name) or name == http_host.lower())
