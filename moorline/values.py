"""Values of user code as JSON: arguments of tasks and results of handlers."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, time
from typing import Final

import orjson

# numpy arrays are written as lists; orjson looks for numpy only if it is loaded already. orjson 3.13 ends the process
# with a segmentation fault where an attribute of a dataclass or the offset of a time zone cannot be had; in Python both
# are exceptions.
_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def as_json(value: object) -> bytes:
    """Write a value as JSON.

    Dataclasses become objects of their fields, without those whose names begin with an underscore; dates and times
    become texts as RFC 3339 has them; UUIDs and members of enumerations what they stand for.

    Raises:
        TypeError: it is not JSON, or code of its own failed while it was read.
        RecursionError: it is nested too deeply.
    """
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError as error:
        if error.__cause__ is None or isinstance(error.__cause__, _UnknownTypeError):
            raise
        raise TypeError(f"{error} ({type(error.__cause__).__name__}: {_text_of(error.__cause__)})") from error.__cause__


class _UnknownTypeError(TypeError):
    """There is no plain form of it; orjson says so better."""


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: getattr(value, name) for name in names}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise _UnknownTypeError


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # it is user code's own, and may raise whatever it likes
        return "its text cannot be had"
