"""Handlers for people in browsers: log in with a token, log out, and who is it.

A browser cannot keep a token safely, so the hub gives it a cookie that no script can read. For the API the cookie
counts as the token that it was made with.
"""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from hub.errors import HubDegradedError, HubStoppingError
from hub.http import audit
from hub.http.answers import COMMON_HEADERS, json_answer
from hub.http.api import Api
from hub.http.bodies import JSON, media_type, read_body
from hub.http.errors import (
    BUSY_RETRY_AFTER_S,
    ConflictError,
    ForbiddenError,
    MalformedJsonError,
    TooManyConnectionsError,
    UnauthorizedError,
)
from hub.http.login_cookie import LOGIN_S
from hub.store.history import Deed
from hub.tokens import Role

# A token has 48 characters; more than this is no login.
LOGIN_BYTES_MAX: Final = 1024


class LoginRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in: the secret of a token of the role `read`, `submit` or `admin`."""

    token: str


class MeAnswer(Struct, frozen=True, kw_only=True):
    """Who asks. ``role`` null: nobody yet, and ``needs_login`` says so. ``csrf``: what a page sends as
    `X-Moorline-CSRF` with everything that changes something; empty where no cookie stands for the caller.
    """

    role: Role | None
    name: str
    needs_login: bool
    csrf: str


_decoder = msgspec.json.Decoder(LoginRequest)


async def log_in(api: Api, request: web.Request) -> web.StreamResponse:
    """Take a token and give a cookie that stands for it."""
    door = api.door
    door.check_site(request)
    media_type(request, (JSON,))
    secret = _decoded(await read_body(request, LOGIN_BYTES_MAX)).token.strip()
    if not door.has_tokens:
        raise ConflictError("this hub has no tokens", "no login is needed; read /v1/me")
    grant = door.grant_of(secret)
    if grant is None:
        if not api.login_failures.take(api.wall_s()):
            message = "too many wrong tokens came lately"
            raise TooManyConnectionsError(message, "try again in a second", retry_after_s=BUSY_RETRY_AFTER_S)
        remedy = "look for a typing error, or make another with `moorline token create --role read`"
        raise UnauthorizedError("the token is unknown, revoked or expired", remedy)
    if grant.role == "node":
        raise ForbiddenError(f"the token {grant.token_id} has the role node", "log in with one that reads or more")
    _note(api, audit.deed_of(api, request, "login", grant=grant))
    return _cookie_answer(api, request, door.login_for(grant), int(LOGIN_S))


def _decoded(body: bytes) -> LoginRequest:
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # Without the cause: it may quote the token.
        message = f"the body is not a login: {type(error).__name__}"
        raise MalformedJsonError(message, '{"token": "moor_…"}') from None


async def log_out(api: Api, request: web.Request) -> web.StreamResponse:
    """Take the cookie back. Twice is harmless."""
    api.door.check_site(request)
    if api.door.visitor(request) is not None:
        _note(api, audit.deed_of(api, request, "logout"))
    return _cookie_answer(api, request, "", 0)


def _note(api: Api, deed: Deed) -> None:
    """Put a line into the audit log, if it can be: who may look must be able to when the hub is degraded, too."""
    with contextlib.suppress(HubDegradedError, HubStoppingError):
        api.backend.note(deed)


async def me(api: Api, request: web.Request) -> web.StreamResponse:
    """Say as whom the caller is known."""
    door = api.door
    door.check_site(request)
    if not door.has_tokens:
        return json_answer(MeAnswer(role="admin", name="", needs_login=False, csrf=""))
    grant = door.visitor(request)
    if grant is None or grant.role == "node":
        return json_answer(MeAnswer(role=None, name="", needs_login=True, csrf=""))
    return json_answer(MeAnswer(role=grant.role, name=grant.name, needs_login=False, csrf=door.csrf_for(request)))


def _cookie_answer(api: Api, request: web.Request, text: str, max_age_s: int) -> web.Response:
    answer = web.Response(status=HTTPStatus.NO_CONTENT, headers=COMMON_HEADERS.copy())
    # Behind a proxy with TLS the hub's own port has none, but the page's origin says how it came.
    is_secure = api.settings.tls_cert is not None or request.headers.get("Origin", "").startswith("https:")
    answer.set_cookie(
        api.door.cookie_name, text, max_age=max_age_s, path="/", httponly=True, samesite="Strict", secure=is_secure
    )
    return answer
