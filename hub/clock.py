"""The hub's two clocks as one value."""

from __future__ import annotations

import time

from hub.store.contract import Now


class Clock:
    """Read both clocks at once.

    The steady one starts at the wall clock's value and never jumps afterwards: what is stored by it still means
    something after a restart, and no lease or pause moves when somebody sets the time.
    """

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def __call__(self) -> Now:
        """Give the time."""
        return Now(time.time(), time.monotonic() + self._offset_s)
