"""The routes for people in browsers."""

from __future__ import annotations

from typing import Final

from hub.http import login
from hub.http.bodies import JSON
from hub.http.errors import (
    ConflictError,
    ForbiddenError,
    MalformedJsonError,
    MalformedRequestError,
    PayloadTooLargeError,
    UnauthorizedError,
    UnsupportedMediaTypeError,
)
from hub.http.route import Answer, Route

LOGIN_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/login",
        role=None,
        handler=login.log_in,
        name="logIn",
        summary="Get a cookie that stands for a token",
        tag="hub",
        bodies={JSON: login.LoginRequest},
        answers={204: Answer(about="The cookie is set.")},
        errors=(
            MalformedRequestError,
            MalformedJsonError,
            UnauthorizedError,
            ForbiddenError,
            ConflictError,
            PayloadTooLargeError,
            UnsupportedMediaTypeError,
        ),
    ),
    Route(
        method="POST",
        path="/logout",
        role=None,
        handler=login.log_out,
        name="logOut",
        summary="Give the cookie back",
        tag="hub",
        answers={204: Answer(about="The cookie is gone.")},
        errors=(ForbiddenError,),
    ),
    Route(
        method="GET",
        path="/v1/me",
        role=None,
        handler=login.me,
        name="getMe",
        summary="Tell who the caller is, and whether a login is needed",
        tag="hub",
        answers={200: Answer(about="Who asks.", kinds=(login.MeAnswer,))},
        errors=(ForbiddenError,),
    ),
)
