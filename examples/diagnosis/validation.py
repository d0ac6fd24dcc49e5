"""The questions that make no sense, refused before any work is done.

Payloads come from anywhere, so types are checked as well as bounds. Each function gives the checked value back, or
raises a `ValueError` that names the parameter, the value and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

# RFC 1035 §2.3.4: a name has at most 253 characters when written out, a label 63. The underscore is no part of a host
# name by the letter, yet internal names are full of it.
HOST_CHARACTERS_MAX = 253
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")
# RFC 4291 §2.2; whether it is an address in truth is the resolver's to say.
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.-]{1,16})?")

# The longest path that Linux takes in a system call (PATH_MAX).
PATH_CHARACTERS_MAX = 4096
# Eight thousand is what proxies and servers take in practice.
URL_CHARACTERS_MAX = 8000
# A pattern longer than this is a program, and hard to read in a log.
PATTERN_CHARACTERS_MAX = 1000


class HttpAddress(NamedTuple):
    """Where an HTTP request goes: ``target`` is the path and query as they stand in the request line."""

    is_secure: bool
    host: str
    port: int
    target: str


def check_integer(name: str, value: object, low: int, high: int) -> int:
    """Give the value if it is an integer from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        _refuse(name, value, f"an integer from {low:,} to {high:,}")
    return value


def check_seconds(name: str, value: object, low: float, high: float) -> float:
    """Give the value if it is a number of seconds from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _refuse(name, value, f"a number of seconds from {low:g} to {high:g}")
    return float(value)


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Give the value if it is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        _refuse(name, value, "one of " + ", ".join(sorted(choices)))
    return value


def check_host(name: str, value: object) -> str:
    """Give the value if it can be a host name or an IP address."""
    if (
        not isinstance(value, str)
        or len(value) > HOST_CHARACTERS_MAX
        or not (_HOST.fullmatch(value) or (":" in value and _IPV6.fullmatch(value)))
    ):
        _refuse(name, value, "a host name or an IP address, such as db1.example.com or 192.0.2.7")
    return value


def check_url(name: str, value: object) -> HttpAddress:
    """Give the parts of an ``http://`` or ``https://`` URL."""
    right = "an http:// or https:// URL without user name, such as https://example.com/health"
    if not isinstance(value, str) or not 0 < len(value) <= URL_CHARACTERS_MAX or not _is_visible_ascii(value):
        _refuse(name, value, right)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        _refuse(name, value, right)
    if parts.scheme not in {"http", "https"} or parts.hostname is None or "@" in parts.netloc or port == 0:
        _refuse(name, value, right)
    is_secure = parts.scheme == "https"
    return HttpAddress(
        is_secure=is_secure,
        host=check_host(name, parts.hostname),
        port=port or (443 if is_secure else 80),
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )


def check_folder(name: str, value: object) -> Path:
    """Give the path if it is a folder on this machine."""
    path = _check_path(name, value)
    if path is None or not path.is_dir():
        _refuse(name, value, "the absolute path of a folder on the node")
    return path


def check_file(name: str, value: object) -> Path:
    """Give the path if it is a file on this machine."""
    path = _check_path(name, value)
    if path is None or not path.is_file():
        _refuse(name, value, "the absolute path of a file on the node")
    return path


def check_pattern(name: str, value: object) -> re.Pattern[str]:
    """Give the compiled regular expression."""
    right = f"a regular expression of 1 to {PATTERN_CHARACTERS_MAX} characters, in the syntax of Python's re"
    if not isinstance(value, str) or not 0 < len(value) <= PATTERN_CHARACTERS_MAX:
        _refuse(name, value, right)
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        _refuse(name, value, f"{right} (here: {error})")


def check_file_name_pattern(name: str, value: object) -> str:
    """Give the value if it is a pattern of file names, as a shell would match them."""
    if not isinstance(value, str) or not 0 < len(value) <= 255 or "/" in value or "\0" in value:
        _refuse(name, value, "a pattern of file names without a slash, such as *.log or syslog*")
    return value


def _check_path(name: str, value: object) -> Path | None:
    if not isinstance(value, str) or not 0 < len(value) < PATH_CHARACTERS_MAX or "\0" in value:
        _refuse(name, value, "an absolute path")
    path = Path(value)
    return path if path.is_absolute() else None


def _is_visible_ascii(text: str) -> bool:
    """Tell whether nothing in it could end a request line or a header."""
    return text.isascii() and text.isprintable() and " " not in text


def _refuse(name: str, value: object, right: str) -> NoReturn:
    shown = repr(value)
    if len(shown) > 120:
        shown = shown[:117] + "..."
    raise ValueError(f"{name} is {shown}; give {right}")
