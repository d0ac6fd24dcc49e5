from __future__ import annotations

import msgspec
import orjson
import pytest

from moorline import (
    ConflictError,
    ForbiddenError,
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    NotFoundError,
    UnauthorizedError,
)
from moorline.answers import checked, decoded, error_of
from moorline.transport import Answer


class Thing(msgspec.Struct):
    id: int


def refused(status: int, code: str = "c", retry_after_s: float | None = None) -> Answer:
    problem = {"code": code, "message": "m", "remedy": "r", "where": "line 3", "later": 1}
    return Answer(status=status, body=orjson.dumps({"error": problem}), retry_after_s=retry_after_s)


def test_a_good_answer_becomes_a_value_and_fields_of_later_hubs_are_ignored() -> None:
    assert decoded(Answer(status=200, body=b'{"id": 1, "later": 2}'), Thing) == Thing(1)


@pytest.mark.parametrize(
    ("status", "leaf"),
    [
        (400, InvalidTaskError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, InvalidTaskError),
        (422, InvalidTaskError),
        (429, HubUnavailableError),
        (500, HubError),
        (503, HubUnavailableError),
    ],
)
def test_each_status_is_a_leaf_with_the_words_of_the_hub(status: int, leaf: type[HubError]) -> None:
    error = error_of(refused(status))
    assert type(error) is leaf
    assert (error.code, error.message, error.remedy) == ("c", "m", "r")
    with pytest.raises(leaf):
        checked(refused(status))


def test_how_long_the_hub_asks_to_stay_away_is_kept() -> None:
    error = error_of(refused(503, "degraded", 7))
    assert isinstance(error, HubUnavailableError)
    assert error.retry_after_s == 7


def test_a_proxy_whose_hub_is_away_counts_as_an_absent_hub() -> None:
    error = error_of(Answer(status=502, body=b"<html>Bad Gateway</html>"))
    assert type(error) is HubUnavailableError
    assert "502" in str(error)


def test_something_else_on_that_port_is_told_from_a_hub() -> None:
    error = error_of(Answer(status=404, body=b"<html>nginx</html>"))
    assert type(error) is HubError
    assert "check the client's url" in str(error)
    with pytest.raises(HubError, match="not one of a Moorline hub"):
        decoded(Answer(status=200, body=b"<html>welcome</html>"), Thing)
