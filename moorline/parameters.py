"""How words of the command line become values: durations, moments, labels, payloads, addresses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

import click

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw]?)")

YEAR_S: Final = 366 * 86400.0

# What JSON libraries agree on; beyond it some would round in silence.
_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**64 - 1


def parse_duration(text: str) -> float:
    """Read ``90``, ``90s``, ``1.5h``, ``2d`` … as seconds.

    Raises:
        ValueError: it is none of these.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time span; write a number and a unit, such as 90s, 15m, 2h or 1d")
    return float(found[1]) * _UNITS_S[found[2] or "s"]


def parse_moment(text: str, now: datetime) -> float:
    """Read ``+10m`` (from ``now``), an RFC 3339 time with its zone, or seconds since 1970, as seconds since 1970.

    Raises:
        ValueError: it is none of these, or names no zone.
    """
    text = text.strip()
    if text.startswith("+"):
        return (now + timedelta(seconds=parse_duration(text[1:]))).timestamp()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write +10m, or 2031-05-17T18:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no zone; write {text}Z for UTC, or {text}+02:00")
    return moment.timestamp()


def parse_past(text: str, now: datetime) -> float:
    """Read ``10m`` (before ``now``), an RFC 3339 time with its zone, or seconds since 1970, as seconds since 1970.

    A bare number below a year counts seconds before ``now``.

    Raises:
        ValueError: it is none of these, or names no zone.
    """
    found = _DURATION.fullmatch(text.strip())
    # A number without a unit counts seconds, as in every time span, unless it can only be a moment.
    if found is not None and (found[2] or float(found[1]) < YEAR_S):
        return (now - timedelta(seconds=parse_duration(text))).timestamp()
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise ValueError(str(error).replace("write +10m,", "write 10m (ago),")) from None


def parse_value(text: str) -> object:
    """Read JSON if it is JSON, else take it as the text it is.

    Raises:
        ValueError: it is a number that JSON libraries would not agree on.
    """
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, int) and not _INTEGER_MIN <= value <= _INTEGER_MAX:
        raise ValueError(f"{text[:24]}… has more than 64 bits; pass it as a text: '\"{text[:24]}…\"'")
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(f"{text[:24]} is larger than any number; pass it as a text")
    return value


def _refuse_constant(name: str) -> NoReturn:
    """Take ``NaN`` and ``Infinity`` as the words they are: they are no JSON."""
    raise ValueError(name)


def parse_pair(text: str) -> tuple[str, str]:
    """Read ``key=value``.

    Raises:
        ValueError: there is no ``=``, or nothing before it.
    """
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ValueError(f"{text!r} is not key=value, as in site=berlin")
    return key, value


def parse_payload(pairs: Iterable[str], document: str | None) -> dict[str, object]:
    """Put a payload together: a JSON object, and on top of it ``key=value`` pairs.

    Raises:
        ValueError: the document is no JSON object, a pair is none, or a key comes twice.
    """
    payload = _object(document) if document is not None else {}
    seen: set[str] = set()
    for pair in pairs:
        key, text = parse_pair(pair)
        if key in seen:
            raise ValueError(f"{key} is given twice")
        seen.add(key)
        payload[key] = parse_value(text)
    return payload


def _object(document: str) -> dict[str, object]:
    try:
        value = json.loads(document, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno} column {error.colno}"
        example = 'write an object such as {"path": "/var"}; - reads it from stdin'
        raise ValueError(f"the payload is no JSON: {where}; {example}") from None
    except ValueError as error:
        raise ValueError(f"the payload is no JSON: it holds {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f'the payload is {_KINDS[type(value)]}; it must be an object such as {{"path": "/var"}}')
    return value


_KINDS: Final[Mapping[type, str]] = {
    list: "an array", str: "a text", int: "a number", float: "a number", bool: "a truth value", type(None): "null"
}  # fmt: skip


def parse_address(text: str, schemes: tuple[str, str], example: str) -> str:
    """Check an address and take the slash off its end.

    Raises:
        ValueError: another scheme, no host, a port that is none, or a secret in it.
    """
    plain = text.strip().rstrip("/")
    if "://" not in plain:
        raise ValueError(f"{text!r} has no scheme; write {schemes[0]}://{plain or 'host'}")
    try:
        parts = urlsplit(plain)
        is_good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(f"{text!r} is no address of a hub; write one such as {example}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"an address holds no user, query or fragment; write one such as {example}")
    return plain


def parse_secret(text: str) -> str:
    """Take what surrounds a token off, such as the line end of the file that it stood in.

    Raises:
        ValueError: what is left fits in no header; the secret is not shown.
    """
    secret = text.strip()
    if not re.fullmatch(r"[!-~]*", secret):
        raise ValueError("a token has printable ASCII characters and no spaces; look at where it comes from")
    return secret


def parse_new_file(text: str) -> Path:
    """Read the path of a file that is written at the end of what may take minutes: better refused at its beginning.

    Raises:
        ValueError: it is a folder, or would stand in one that is not there.
    """
    path = Path(text)
    if path.is_dir():
        raise ValueError(f"{text} is a folder; give a file")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{text} cannot be written: there is no folder {path.parent}")
    return path


def parse_duration_up_to(days_max: int, *, may_be_zero: bool = False) -> Callable[[str], float]:
    """Give what reads a time span of at most so many days, as the hub takes it."""
    bounds = f"at most {days_max}d" if may_be_zero else f"more than 0, and at most {days_max}d"

    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if seconds > days_max * 86400 or (seconds == 0 and not may_be_zero):
            raise ValueError(f"{text!r} is out of bounds; give {bounds}")
        return seconds

    return parse


class _Parsed(click.ParamType[object]):
    """A click type around a function that raises ValueError with a whole sentence."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Parse texts; what is parsed already (a default, a number in the settings file) stays."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION: Final = _Parsed("time", parse_duration)
# As long as a task may be put off, as an attempt may run, as a silence may last: docs/reference/http-api.md.
DELAY: Final = _Parsed("time", parse_duration_up_to(366, may_be_zero=True))
TIMEOUT: Final = _Parsed("time", parse_duration_up_to(30))
SILENCE: Final = _Parsed("time", parse_duration_up_to(31))
MOMENT: Final = _Parsed("when", lambda text: parse_moment(text, datetime.now(UTC)))
PAST: Final = _Parsed("when", lambda text: parse_past(text, datetime.now(UTC)))
SECRET: Final = _Parsed("secret", parse_secret)
NEW_FILE: Final = _Parsed("file", parse_new_file)
PAIR: Final = _Parsed("key=value", parse_pair)
HTTP_ADDRESS: Final = _Parsed("url", lambda text: parse_address(text, ("http", "https"), "http://127.0.0.1:8780"))
NODE_ADDRESS: Final = _Parsed("url", lambda text: parse_address(text, ("ws", "wss"), "ws://127.0.0.1:8765"))
