"""What a route is: who may use it, what it takes, what it may answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, TypeAlias

from aiohttp import web
from msgspec import Struct

from hub.http.api import Api
from hub.http.bodies import JSON
from hub.http.errors import (
    ApiError,
    DegradedError,
    ForbiddenError,
    InternalError,
    InvalidQueryError,
    StoppingError,
    TooManyConnectionsError,
    UnauthorizedError,
)
from hub.http.parameters import Parameter
from hub.tokens import Role

Handler: TypeAlias = Callable[[Api, web.Request], Awaitable[web.StreamResponse]]


class Answer(Struct, frozen=True, kw_only=True):
    """What a route gives when it can: a line about it, and the shapes that the body may have."""

    about: str
    kinds: tuple[type[Struct], ...] = ()
    media: str = JSON


class Route(Struct, frozen=True, kw_only=True):
    """One route. ``role`` None: open to everybody. ``bodies``: what it takes, by media type. ``errors``: what it may
    answer beside its ``answers`` and what `errors_of` adds.
    """

    method: Literal["GET", "POST"]
    path: str
    role: Role | None
    handler: Handler
    name: str
    summary: str
    tag: Literal["tasks", "nodes", "alerts", "hub"]
    query: tuple[Parameter, ...] = ()
    bodies: Mapping[str, type[Struct]] = {}
    answers: Mapping[int, Answer]
    errors: tuple[type[ApiError], ...] = ()


_ALWAYS: Final[tuple[type[ApiError], ...]] = (TooManyConnectionsError, InternalError)
_GUARDED: Final[tuple[type[ApiError], ...]] = (UnauthorizedError, ForbiddenError, DegradedError, StoppingError)


def errors_of(route: Route) -> tuple[type[ApiError], ...]:
    """Give all errors that a route may answer, its own and those of everything before it."""
    queried = (InvalidQueryError,) if route.query else ()
    guarded = _GUARDED if route.role is not None else ()
    return (*route.errors, *queried, *guarded, *_ALWAYS)
