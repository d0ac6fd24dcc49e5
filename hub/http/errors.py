"""What the API answers when it cannot do what was asked: one shape, a leaf for each status and code.

A message names the thing and the value that was wrong; the remedy says what would be right.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar, Final

import msgspec
from msgspec import Struct


class ErrorDetail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``code`` is stable; the texts are for people. ``where`` names the line of a batch, or the place in a filter."""

    code: str
    message: str
    remedy: str = ""
    where: str = ""


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """The body of every answer from 400 on, but for `/readyz`."""

    error: ErrorDetail


class ApiError(Exception):
    """Base of everything that the API answers instead of what was asked."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"

    def __init__(self, message: str, remedy: str = "", *, where: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.where = where
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def body(self) -> bytes:
        """The answer's body."""
        detail = ErrorDetail(code=self.code, message=self.message, remedy=self.remedy, where=self.where)
        return msgspec.json.encode(ErrorAnswer(error=detail))


class BadRequestError(ApiError):
    """Base of 400: the request can never be right as it is."""

    status = HTTPStatus.BAD_REQUEST


class MalformedJsonError(BadRequestError):
    """A body or a line is not JSON."""

    code = "malformed_json"


class InvalidTaskError(BadRequestError):
    """A task has a field that it cannot have."""

    code = "invalid_task"


class InvalidOptionError(BadRequestError):
    """An option has a value that it cannot have."""

    code = "invalid_option"


class UnknownOptionError(BadRequestError):
    """There is no such option."""

    code = "unknown_option"


class InvalidQueryError(BadRequestError):
    """A query parameter is unknown or has a value that it cannot have."""

    code = "invalid_query"


class MalformedRequestError(BadRequestError):
    """The request as such cannot be understood: its framing, or a body that never came."""

    code = "malformed_request"


class UnauthorizedError(ApiError):
    """No token, or one that is unknown, revoked or expired."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"


class ForbiddenError(ApiError):
    """The token's role does not allow this, or another web site asks."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class NotFoundError(ApiError):
    """There is no such task, node or route."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowedError(ApiError):
    """The route is there, the method is not."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, message: str, remedy: str, *, allowed: str) -> None:
        super().__init__(message, remedy)
        self.allowed = allowed


class ConflictError(ApiError):
    """The task or node is in a state that does not allow this."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class PayloadTooLargeError(ApiError):
    """A body or a payload has too many bytes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"


class TooManyTasksError(ApiError):
    """A batch has too many lines."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_many_tasks"


class UnsupportedMediaTypeError(ApiError):
    """The body is of a type, or in an encoding, that this route does not take."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class UnknownNameError(ApiError):
    """No connected node handles this name, and the hub was told to be strict."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unknown_name"


class TooManyConnectionsError(ApiError):
    """As many requests, streams or connections are open as may be."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_connections"


class DegradedError(ApiError):
    """The store takes no commits, or does not answer. Nothing happened; the same request may be sent again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "degraded"


class StoppingError(ApiError):
    """The hub is on its way down. Nothing happened; the same request may be sent again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "stopping"


class InternalError(ApiError):
    """A bug of the hub's. Whether anything happened is open; the log has the cause under the same id."""


# How long callers are asked to stay away: a full disk takes a while, a crowd or a slow read passes.
DEGRADED_RETRY_AFTER_S: Final = 5
BUSY_RETRY_AFTER_S: Final = 1
