from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from enum import Enum
from uuid import UUID

import pytest

from moorline.values import as_json


@dataclass
class Reading:
    at: datetime
    value: float
    _raw: bytes = b""


@dataclass(slots=True)
class Unfinished:
    name: str
    value: int = field(init=False)


class Colour(Enum):
    RED = "red"


class NoOffset(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        raise SystemExit("no offset")


class MuteError(Exception):
    def __str__(self) -> str:
        raise SystemExit


@dataclass
class Hostile:
    value: int

    def __getattribute__(self, name: str) -> object:
        if name == "value":
            raise MuteError
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, 2.5, None, True, "ö"]}, '{"a":[1,2.5,null,true,"ö"]}'),
        (Reading(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 0.5), '{"at":"2026-01-02T03:04:05+00:00","value":0.5}'),
        ([Reading], None),
        (datetime(2026, 1, 2, 3, 4, 5, 600, timezone(timedelta(hours=-2))), '"2026-01-02T03:04:05.000600-02:00"'),
        (datetime(2026, 1, 2), '"2026-01-02T00:00:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (time(3, 4), '"03:04:00"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, '"red"'),
        ((1, (2, 3)), "[1,[2,3]]"),
    ],
)
def test_values_of_python_become_what_they_stand_for(value: object, text: str | None) -> None:
    if text is None:
        with pytest.raises(TypeError, match=r"^Type is not JSON serializable: type$"):
            as_json(value)
    else:
        assert as_json(value).decode() == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({1}, r"^Type is not JSON serializable: set$"),
        ({1: 2}, r"^Dict key must be str$"),
        (Unfinished("a"), r"Unfinished \(AttributeError: .*value"),
        ([datetime(2026, 1, 2, tzinfo=NoOffset())], r"datetime \(SystemExit: no offset\)"),
        (Hostile(1), r"Hostile \(MuteError: its text cannot be had\)"),
    ],
)
def test_what_is_not_json_or_cannot_be_read_is_an_error_that_says_why(value: object, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        as_json(value)
