"""Answers out: bodies encoded once, and the headers that every answer carries."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from hub.http.errors import ApiError, MethodNotAllowedError, UnauthorizedError

logger = logging.getLogger(__name__)

# How long an answer may take to leave. The largest, a page of a thousand tasks, takes a second over 10 Mbit/s; a reader
# that is much slower holds memory, and one of the connections that there are, for nothing.
SEND_WITHIN_S: Final = 30.0

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


async def send_answer(request: web.Request, answer: web.StreamResponse) -> None:
    """Send an answer whole, and cut off who does not read it. What is sent already is not sent again."""
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            await answer.prepare(request)
            await answer.write_eof()
    except TimeoutError:
        logger.warning("%s does not read its answer for %.0f s; cutting it off", request.remote, SEND_WITHIN_S)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        # Whoever asked is gone; the server notices the same when it comes to close the connection.
        logger.debug("%s left before it was answered", request.remote)
