"""Who may ask what: tokens by role, browsers by the cookie that stands for a token, and no other web site's pages.

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
from hub.http.login_cookie import LoginSigner
from hub.settings import is_loopback
from hub.tokens import Grant, Role, TokenBook

# What each role of the API may do includes what the ones before it may. A `node` token opens sessions and nothing else.
_RANKS: Final[dict[Role, int]] = {"read": 0, "submit": 1, "admin": 2}

TOKEN_ID: Final = web.RequestKey("token_id", str)
"""Where a request carries the id of its token, once it is let in; empty where none is needed."""

# Clients of one hub name it in few ways; each is looked at once.
HOSTS_REMEMBERED_MAX: Final = 256

CSRF_HEADER: Final = "X-Moorline-CSRF"
"""What a page sends with what it changes. A browser adds a cookie to what any page sends, but never this."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Door:
    """Lets requests in or raises.

    Args:
        tokens: the tokens there are.
        http_host: the address on which the hub listens.
        wall_s: gives the wall clock's time.
        signer: makes and reads the cookies of browsers.
        hub_id: names the cookie: two hubs on one machine share its cookies, whatever their ports are.
    """

    def __init__(
        self, tokens: TokenBook, http_host: str, wall_s: Callable[[], float], *, signer: LoginSigner, hub_id: str
    ) -> None:
        self.cookie_name = f"moorline_login_{hub_id[:12]}"
        self._signer = signer
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
        self.check_site(request)
        if not self._tokens.has_tokens:
            return ""
        authorization = request.headers.get("Authorization")
        if authorization is None and (cookie := self._cookie(request)):
            grant = self._check_cookie(request, cookie)
        else:
            grant = self._check_token(authorization or "", role)
        if _RANKS.get(grant.role, -1) < _RANKS[role]:
            message = f"the token {grant.token_id} has the role {grant.role}"
            raise ForbiddenError(message, f"this needs a token with the role {role}")
        return grant.token_id

    def check_site(self, request: web.Request) -> None:
        """Turn away what another site's page asks.

        Raises:
            ForbiddenError: it is one, or may be one where a hub serves this machine alone.
        """
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        if origin is not None and not is_same_site(origin, host):
            raise ForbiddenError(f"a page of {origin[:100]} asks", "ask from the hub's own pages, or from a program")
        if self._tokens.has_tokens or not self._is_local or not host:
            return
        if not names_this_machine(host, self._http_host):
            message = f"the Host header is {host[:100]!r}, and this hub serves its own machine alone"
            remedy = f"use http://{self._http_host}, or make tokens and let the hub listen on that name"
            raise ForbiddenError(message, remedy)

    def _check_token(self, authorization: str, role: Role) -> Grant:
        secret = _bearer(authorization)
        if not secret:
            given = "send Authorization: Bearer … (Client(token=…); on the command line --token or MOORLINE_TOKEN)"
            remedy = f"{given}; make a token with `moorline token create --role {role}`"
            raise UnauthorizedError("a token is needed", remedy)
        grant = self.grant_of(secret)
        if grant is None:
            remedy = f"make another with `moorline token create --role {role}`"
            raise UnauthorizedError("the token is unknown, revoked or expired", remedy)
        return grant

    def _check_cookie(self, request: web.Request, cookie: str) -> Grant:
        grant = self._grant_of_cookie(cookie)
        if grant is None:
            raise UnauthorizedError("the login has ended, or its token was revoked", "log in again")
        if request.method not in _SAFE_METHODS:
            shown = request.headers.get(CSRF_HEADER, "")
            if not self._signer.is_csrf_of(cookie, shown):
                message = f"{CSRF_HEADER} is {'wrong' if shown else 'missing'}"
                raise ForbiddenError(message, "send with the cookie what GET /v1/me gives as csrf")
        return grant

    # --- logins of browsers -------------------------------------------------------------------------------------------

    @property
    def has_tokens(self) -> bool:
        """Whether anybody needs a token at all."""
        return self._tokens.has_tokens

    def grant_of(self, secret: str) -> Grant | None:
        """Give what a token allows, or None if it is unknown, revoked or expired."""
        return self._tokens.check(secret, self._wall_s())

    def visitor(self, request: web.Request) -> Grant | None:
        """Give what the caller's token or cookie allows, or None if it has no good one."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            secret = _bearer(authorization)
            return self.grant_of(secret) if secret else None
        cookie = self._cookie(request)
        return self._grant_of_cookie(cookie) if cookie else None

    def login_for(self, grant: Grant) -> str:
        """Give the text of a cookie that stands for a token."""
        return self._signer.issue(grant.token_id, self._wall_s())

    def csrf_for(self, request: web.Request) -> str:
        """Give what the caller's page is to send as `X-Moorline-CSRF`; empty: it has no cookie, or needs none."""
        cookie = "" if "Authorization" in request.headers else self._cookie(request)
        return self._signer.csrf_of(cookie) if cookie else ""

    def _cookie(self, request: web.Request) -> str:
        return request.cookies.get(self.cookie_name, "") if "Cookie" in request.headers else ""

    def _grant_of_cookie(self, cookie: str) -> Grant | None:
        now_s = self._wall_s()
        token_id = self._signer.token_of(cookie, now_s)
        return None if token_id is None else self._tokens.grant(token_id, now_s)


def _bearer(authorization: str) -> str:
    """Give the secret of an `Authorization` header; empty if it holds none."""
    scheme, _, secret = authorization.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


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
