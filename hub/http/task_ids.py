"""Identifiers for tasks whose client gave none: 26 characters that sort by the time at which they were made (ULID)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

# Crockford's base 32: no letter that is mistaken for a digit.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]

_RANDOM_BITS: Final = 80
_CHARACTERS: Final = 26


class TaskIds:
    """Make identifiers, each greater than the one before even within one millisecond.

    48 bits of milliseconds since 1970, 80 random bits; within the same millisecond, or if the clock is set back, the
    number before plus one.
    """

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._last = 0

    def __call__(self) -> str:
        """Give the next identifier."""
        now = int(self._wall_s() * 1000) << _RANDOM_BITS
        if now > self._last:
            self._last = now | secrets.randbits(_RANDOM_BITS)
        else:
            self._last += 1
        return _text(self._last)


def _text(number: int) -> str:
    pairs = []
    for _ in range(_CHARACTERS // 2):
        number, pair = divmod(number, 1024)
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))
