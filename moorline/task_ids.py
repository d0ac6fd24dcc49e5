"""Identifiers that a client makes itself, so that submitting the same task again is harmless.

26 characters that sort by the time at which they were made, in the layout of ULID (https://github.com/ulid/spec):
48 bits of milliseconds since 1970 and 80 random bits, in Crockford's base 32.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_PAIR_BITS: Final = 10
_PAIR_MASK: Final = (1 << _PAIR_BITS) - 1

_RANDOM_BITS: Final = 80
# Ids of one millisecond count up; they differ in this many bits only, and the text of all others is made once.
_COUNTED_BITS: Final = 40
_COUNTED_MASK: Final = (1 << _COUNTED_BITS) - 1


class TaskIds:
    """Make identifiers, each greater than the one before, also if the clock is set back. Usable from any thread."""

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._number = 0
        self._prefix_number = -1
        self._prefix = ""

    def __call__(self) -> str:
        """Give the next identifier."""
        with self._lock:
            now = int(self._wall_s() * 1000)
            if now > self._number >> _RANDOM_BITS:
                self._number = now << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            else:
                self._number += 1
            return self._text(self._number)

    def forget(self) -> None:
        """Begin anew: a forked child must not go on counting where its parent does."""
        self._lock = threading.Lock()
        self._number = 0

    def _text(self, number: int) -> str:
        prefix_number = number >> _COUNTED_BITS
        if prefix_number != self._prefix_number:
            self._prefix_number = prefix_number
            # 18 of the 26 characters.
            self._prefix = _encoded(prefix_number, 9)
        return self._prefix + _encoded(number & _COUNTED_MASK, 4)


def _encoded(number: int, pairs: int) -> str:
    """Write the number as so many pairs of characters."""
    return "".join([_PAIRS[number >> shift & _PAIR_MASK] for shift in range((pairs - 1) * _PAIR_BITS, -1, -_PAIR_BITS)])


new_task_id: Final = TaskIds()
os.register_at_fork(after_in_child=new_task_id.forget)
