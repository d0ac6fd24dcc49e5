"""The API put together: the table of routes, with the door and the error shape around each handler."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web
from msgspec.structs import replace

from hub.errors import HubDegradedError, HubStoppingError
from hub.events.endings import TooManyStreamsError
from hub.http.answers import error_answer, send_answer
from hub.http.api import Api
from hub.http.backend import HubBackend
from hub.http.errors import (
    BUSY_RETRY_AFTER_S,
    DEGRADED_RETRY_AFTER_S,
    ApiError,
    DegradedError,
    InternalError,
    MalformedRequestError,
    MethodNotAllowedError,
    NotFoundError,
    StoppingError,
    TooManyConnectionsError,
)
from hub.http.login_cookie import new_key
from hub.http.metrics_routes import METRICS_ROUTE
from hub.http.openapi import ALL_ROUTES
from hub.http.route import Route
from hub.http.security import TOKEN_ID
from hub.http.web_page import add_page
from hub.settings import HubSettings
from hub.store.errors import StoreUnavailableError
from hub.tokens import TokenBook

logger = logging.getLogger(__name__)

# Requests under way at once: 1,000 streams, 5,000 that wait for a task, and the rest, which are done in milliseconds.
REQUESTS_MAX: Final = 8_000

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_application(
    backend: HubBackend,
    settings: HubSettings,
    tokens: TokenBook,
    *,
    wall_s: Callable[[], float] = time.time,
    login_key: bytes | None = None,
) -> web.Application:
    """Make the application that serves a hub's API and its web page.

    Args:
        backend: the hub.
        settings: how it is run.
        tokens: who may come in; the caller keeps it up to date.
        wall_s: gives the wall clock's time.
        login_key: signs the cookies of browsers; None: one that ends with this application.
    """
    api = Api(backend, settings, tokens, wall_s, new_key() if login_key is None else login_key)
    application = web.Application(middlewares=[_Shell(api.requests).answer])
    for route in ALL_ROUTES:
        is_open = route is METRICS_ROUTE and settings.metrics_open
        handler = _handler(api, replace(route, role=None) if is_open else route)
        application.router.add_route(route.method, route.path, handler)
    add_page(application.router)
    return application


def _handler(api: Api, route: Route) -> _Handler:
    """Put the door before a route's handler."""
    handler, role, door = route.handler, route.role, api.door

    async def handle(request: web.Request) -> web.StreamResponse:
        if role is not None:
            request[TOKEN_ID] = door.check(request, role)
        return await handler(api, request)

    return handle


class _Shell:
    """Around everything: counts requests, and gives each error its shape.

    Args:
        answered: where answers are counted, by method, route and status.
    """

    def __init__(self, answered: Counter[tuple[str, str, int]]) -> None:
        self._requests = 0
        self._answered = answered

    @web.middleware
    async def answer(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer a request, whatever happens."""
        if self._requests >= REQUESTS_MAX:
            message = f"{REQUESTS_MAX} requests are under way"
            remedy = "send the same again in a second"
            return error_answer(TooManyConnectionsError(message, remedy, retry_after_s=BUSY_RETRY_AFTER_S))
        self._requests += 1
        try:
            answer = await _answer(request, handler)
            self._answered[(*_asked(request), answer.status)] += 1
            await send_answer(request, answer)
            return answer
        finally:
            self._requests -= 1


def _asked(request: web.Request) -> tuple[str, str]:
    """Give method and route of a request; whatever no route takes is one, since anybody can make up more."""
    resource = request.match_info.route.resource
    return ("other", "other") if resource is None else (request.method, resource.canonical)


async def _answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:
        # The edge of every handler: whatever it raises becomes an answer.
        return error_answer(api_error(error, request))


def api_error(error: Exception, request: web.Request) -> ApiError:
    """Give the answer to what a handler raised."""
    match error:
        case ApiError():
            return error
        case web.HTTPException():
            return _routing_error(error, request)
        case HubDegradedError():
            return DegradedError(str(error), "send the same again later", retry_after_s=DEGRADED_RETRY_AFTER_S)
        case HubStoppingError():
            return StoppingError(str(error), "send the same again when it is back", retry_after_s=BUSY_RETRY_AFTER_S)
        case StoreUnavailableError():
            return DegradedError(str(error), "send the same again in a second", retry_after_s=BUSY_RETRY_AFTER_S)
        case TooManyStreamsError():
            return TooManyConnectionsError(
                str(error), "come back when others have left", retry_after_s=BUSY_RETRY_AFTER_S
            )
        case _:
            return _internal(error, request)


def _routing_error(error: web.HTTPException, request: web.Request) -> ApiError:
    """Give aiohttp's own refusals our shape."""
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return MethodNotAllowedError(
                f"{request.path[:200]} takes no {request.method[:20]}", f"it takes {allowed}", allowed=allowed
            )
        case web.HTTPNotFound():
            return NotFoundError(f"there is no route {request.path[:200]}", "GET /openapi.json lists all routes")
        case _ if error.status < 500:
            return MalformedRequestError(f"the request is refused: {error.reason}", "send it as HTTP says (RFC 9110)")
        case _:
            return _internal(error, request)


def _internal(error: Exception, request: web.Request) -> ApiError:
    number = secrets.token_hex(6)
    logger.error("error %s in %s %s", number, request.method, request.path, exc_info=error)
    return InternalError(
        f"an error of the hub, number {number}", "report it with what the hub's log says under this number"
    )
