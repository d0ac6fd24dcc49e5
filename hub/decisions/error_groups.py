"""Which errors are alike: those of the same task name, kind, type and place in the code.

Messages differ from one task to the next and say nothing about that: they are only shown. Plain functions.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from protocol.frames import TaskError

# What a line of a table shows; the whole message stands with the task.
MESSAGE_CHARACTERS_MAX: Final = 300
PLACE_CHARACTERS_MAX: Final = 300

# Of a path so many last parts are the same on every machine: the package, and the module in it.
PATH_PARTS_KEPT: Final = 3

# 64 bits: among ten thousand groups two share an id once in 10^11 installations.
_ID_BYTES: Final = 8

# Where much goes wrong, the same goes wrong again and again. Tracebacks have up to 16 KiB: some megabytes.
REMEMBERED_MAX: Final = 256

_FRAME: Final = re.compile(r'File "([^"\n]+)", line (\d+)(?:, in ([^\n]+))?')

# Where installed packages begin, whatever the machine.
_PACKAGES: Final = ("/site-packages/", "/dist-packages/")

# In this order: addresses and long hexadecimal ids with a digit in them, then numbers that are left.
_VARYING: Final = re.compile(
    r"0x[0-9a-fA-F]+"
    r"|\b(?=[0-9a-fA-F-]*[0-9])[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b"
    r"|\d+(?:[.,]\d+)*"
)


class Fingerprint(Struct, frozen=True, gc=False):
    """What tells a group of errors from others. ``id``: 16 hexadecimal digits."""

    id: str
    name: str
    kind: str
    type: str
    place: str


def fingerprint(name: str, error: TaskError) -> Fingerprint:
    """Give the group that an error of a task with this name belongs to."""
    return _fingerprint(name, error.kind, error.type, error.traceback)


@lru_cache(REMEMBERED_MAX)
def _fingerprint(name: str, kind: str, type_: str, traceback: str) -> Fingerprint:
    place = place_of(traceback)
    text = "\x00".join((name, kind, type_, place))
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_ID_BYTES)
    return Fingerprint(digest.hexdigest(), name, kind, type_, place)


def place_of(traceback: str) -> str:
    """Give the last frame of a traceback as `file:line in function`; empty if there is none.

    Of the file's path only what does not depend on where it is installed.
    """
    start = traceback.rfind('File "')
    while start >= 0:
        frame = _FRAME.match(traceback, start)
        if frame is not None:
            path, line, function = frame.groups()
            place = f"{_short(path)}:{line}" + (f" in {function.strip()}" if function else "")
            return place[:PLACE_CHARACTERS_MAX]
        start = traceback.rfind('File "', 0, start)
    return ""


def _short(path: str) -> str:
    path = path.replace("\\", "/")
    for packages in _PACKAGES:
        _, found, inside = path.rpartition(packages)
        if found:
            return inside
    return "/".join(path.split("/")[-PATH_PARTS_KEPT:])


def folded(message: str) -> str:
    """Give a message on one line with `#` in the place of numbers and ids, cut to what a table shows."""
    # Only so much is looked at: what is folded gets shorter.
    text = " ".join(message[: 2 * MESSAGE_CHARACTERS_MAX].split())
    text = _VARYING.sub("#", text)
    return text if len(text) <= MESSAGE_CHARACTERS_MAX else f"{text[: MESSAGE_CHARACTERS_MAX - 1]}…"
