"""One query parameter at a time: declared once, for the parser and for the OpenAPI document.

What reads a value raises InvalidQueryError: it names the parameter, the value that was wrong, and what would be right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from aiohttp import web
from msgspec import Struct

from hub.decisions.filter_terms import Fields, Term
from hub.decisions.filters import FILTER_CHARACTERS_MAX, FilterError, parse
from hub.decisions.suggestions import did_you_mean
from hub.http.decoding import AT_MAX
from hub.http.errors import InvalidQueryError
from hub.http.faults import IDENTIFIER_WORDS, QUOTED_CHARACTERS_MAX, TIME_WORDS
from protocol.limits import IDENTIFIER_PATTERN, LABEL_CHARACTERS_MAX, NAME_CHARACTERS_MAX, is_identifier

W = TypeVar("W", bound=str)

# So many ids of 26 characters fit the longest line of a request (hub/http/server.py).
IDS_MAX: Final = 500


class Parameter(Struct, frozen=True, kw_only=True):
    """A query parameter: its name, its JSON Schema, and a line about it."""

    name: str
    schema: Mapping[str, Any]
    about: str


IDENTIFIER: Final = {"type": "string", "pattern": IDENTIFIER_PATTERN}
ORIGIN: Final = {"type": "string", "maxLength": NAME_CHARACTERS_MAX}


def list_of(words: Collection[str]) -> Mapping[str, Any]:
    """Give the schema of a comma list of these words."""
    choice = "|".join(word.replace(".", r"\.") for word in words)
    return {"type": "string", "pattern": f"^({choice})(,({choice}))*$"}


def filter_parameter(about: str) -> Parameter:
    """Give the parameter that holds a filter."""
    return Parameter(name="filter", schema={"type": "string", "maxLength": FILTER_CHARACTERS_MAX}, about=about)


def read_query(request: web.Request, allowed: Sequence[Parameter]) -> dict[str, str]:
    """Give what a request says, by name; what is unknown, or said twice, is refused."""
    said: dict[str, str] = {}
    known = [parameter.name for parameter in allowed]
    for name, value in request.query.items():
        if name not in known:
            raise InvalidQueryError(f"parameter {_shown(name)} is unknown", did_you_mean(name, known))
        if name in said:
            raise InvalidQueryError(f"parameter {name} is given twice", "give it once, with commas if it is a list")
        said[name] = value
    return said


def read_words(name: str, text: str, allowed: Collection[str]) -> list[str]:
    """Read words out of a comma list."""
    words = [word for word in text.split(",") if word]
    for word in words:
        if word not in allowed:
            raise InvalidQueryError(f"{name} is {_shown(word)}", did_you_mean(word, list(allowed)))
    return words


def read_word(name: str, text: str, allowed: Sequence[W]) -> W:
    """Read one of these words."""
    for word in allowed:
        if word == text:
            return word
    raise InvalidQueryError(f"{name} is {_shown(text)}", did_you_mean(text, allowed))


def read_identifiers(name: str, text: str) -> list[str]:
    """Read ids out of a comma list."""
    found = [word for word in text.split(",") if word]
    if len(found) > IDS_MAX:
        raise InvalidQueryError(f"{name} names {len(found)} tasks", f"at most {IDS_MAX} at once")
    for word in found:
        if not is_identifier(word):
            raise InvalidQueryError(f"{name} is {_shown(word)}", IDENTIFIER_WORDS)
    return found


def read_identifier(name: str, said: Mapping[str, str]) -> str:
    """Read an id; empty if there is none."""
    text = said.get(name, "")
    if text and not is_identifier(text):
        raise InvalidQueryError(f"{name} is {_shown(text)}", IDENTIFIER_WORDS)
    return text


def read_text(name: str, said: Mapping[str, str], characters_max: int) -> str:
    """Read a text; empty if there is none."""
    text = said.get(name, "")
    if len(text) > characters_max:
        raise InvalidQueryError(f"{name} has {len(text)} characters", f"at most {characters_max}")
    return text


def read_label(text: str | None) -> tuple[str, str] | None:
    """Read ``key=value``; None if there is none."""
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not equals or not is_identifier(key) or len(value) > LABEL_CHARACTERS_MAX:
        raise InvalidQueryError(f"label is {_shown(text)}", "key=value, such as site=berlin")
    return key, value


def read_number(name: str, text: str, low: float, high: float) -> float:
    """Read a number."""
    number = _as_float(text)
    if number is None or not low <= number <= high:
        raise InvalidQueryError(f"{name} is {_shown(text)}", f"a number from {low:g} to {high:g}")
    return number


def _as_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_integer(name: str, text: str | None, low: int, high: int) -> int | None:
    """Read an integer; None if there is none."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(high)) or not low <= int(text) <= high:
        raise InvalidQueryError(f"{name} is {_shown(text)}", f"an integer from {low} to {high}")
    return int(text)


def read_time(name: str, text: str | None) -> float | None:
    """Read a time, seconds since 1970 or RFC 3339; None if there is none."""
    if text is None:
        return None
    at = _as_float(text)
    if at is None:
        try:
            # A plus that was not escaped arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+"))
        except ValueError:
            moment = None
        at = moment.timestamp() if moment is not None and moment.tzinfo is not None else None
    if at is None or not 0 <= at <= AT_MAX:
        raise InvalidQueryError(f"{name} is {_shown(text)}", TIME_WORDS)
    return at


def _shown(text: str) -> str:
    return repr(text[:QUOTED_CHARACTERS_MAX])


def read_filter(text: str, fields: Fields) -> tuple[Term, ...]:
    """Read a filter."""
    try:
        return parse(text, fields)
    except FilterError as error:
        raise InvalidQueryError(error.message, error.remedy, where=f"filter, character {error.position}") from None


def invalid_cursor(error: ValueError) -> InvalidQueryError:
    """Say what the store said about a cursor: what is wrong, and behind a semicolon what would be right."""
    message, _, remedy = str(error).partition("; ")
    return InvalidQueryError(message, remedy)
