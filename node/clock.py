"""The node's clocks: one for decisions that goes on while the machine is suspended, one for people."""

from __future__ import annotations

import time

# Leases must run out on a suspended laptop too, and CLOCK_MONOTONIC stands still there; Linux has one that does not.
_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_s() -> float:
    """Give seconds on a clock that never jumps and, where the system has such a clock, counts suspended time."""
    return time.clock_gettime(_CLOCK_ID)
