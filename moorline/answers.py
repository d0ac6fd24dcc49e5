"""From a hub's answer to a value or an error: the one place that knows the API's error shape and status codes."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from moorline.errors import (
    ConflictError,
    ForbiddenError,
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    NotFoundError,
    UnauthorizedError,
)
from moorline.transport import Answer

T = TypeVar("T")

_BY_STATUS: Final[dict[int, type[HubError]]] = {
    400: InvalidTaskError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidTaskError,
    422: InvalidTaskError,
}
# Too many connections, a degraded or stopping hub, and a proxy whose hub is away: all pass by themselves.
_PASSING: Final = frozenset({429, 502, 503, 504})


class _Problem(msgspec.Struct, frozen=True):
    code: str
    message: str
    remedy: str = ""
    where: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Problem


def checked(answer: Answer) -> Answer:
    """Give the answer back if it is one to what was asked. Raises the HubError that it is otherwise."""
    if answer.status >= 300:
        raise error_of(answer)
    return answer


def decoded(answer: Answer, kind: type[T]) -> T:
    """Give the body of a good answer as a value.

    Raises:
        HubError: the leaf for its status; or plain, if the body is not what the API says.
    """
    try:
        return msgspec.json.decode(checked(answer).body, type=kind)
    except msgspec.DecodeError as error:
        raise HubError(
            f"the answer is not one of a Moorline hub: {error}", remedy="check the client's url and version"
        ) from error


def error_of(answer: Answer) -> HubError:
    """Give the error that a bad answer stands for."""
    try:
        problem = msgspec.json.decode(answer.body, type=_ErrorBody).error
    except msgspec.DecodeError:
        problem = None
    if answer.status in _PASSING:
        message = f"the hub takes nothing now (HTTP {answer.status})" if problem is None else problem.message
        return HubUnavailableError(
            message,
            code=problem.code if problem else "",
            remedy=problem.remedy if problem else "",
            retry_after_s=answer.retry_after_s,
        )
    if problem is None:
        # A hub always answers in its error shape: this is a proxy, or something else on that port.
        return HubError(
            f"HTTP {answer.status} without the words of a Moorline hub", remedy="check the client's url, and any proxy"
        )
    leaf = _BY_STATUS.get(answer.status, HubError)
    return leaf(problem.message, code=problem.code, remedy=problem.remedy, where=problem.where)
