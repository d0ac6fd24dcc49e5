"""Answers out: bodies encoded once, and the headers that every answer carries."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from hub.http.errors import ApiError, MethodNotAllowedError, UnauthorizedError

# Answers are about a moment and may be secret: nobody keeps them, nobody guesses their type.
COMMON_HEADERS: Final = CIMultiDict(
    {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "moorline"}
)
_JSON_HEADERS: Final = CIMultiDict({**COMMON_HEADERS, "Content-Type": "application/json"})

_encode = msgspec.json.Encoder().encode


def json_answer(said: msgspec.Struct, status: int = HTTPStatus.OK) -> web.Response:
    """Answer with a value as JSON."""
    return bytes_answer(_encode(said), status)


def bytes_answer(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """Answer with JSON that is encoded already."""
    return web.Response(body=body, status=status, headers=_JSON_HEADERS.copy())


def error_answer(error: ApiError) -> web.Response:
    """Answer with an error."""
    answer = bytes_answer(error.body, error.status)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, UnauthorizedError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowedError):
        answer.headers["Allow"] = error.allowed
    return answer
