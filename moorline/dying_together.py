"""Processes that a command starts for itself, and that must not outlive it, however it ends."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from functools import partial


def end_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Give what the child does before it becomes its program: on Linux, be sent this signal if the thread that starts
    it ends, as it does with a command that is killed.
    """
    if sys.platform != "linux":
        return None
    set_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
    return partial(ctypes.CDLL(None).prctl, set_death_signal, int(number))
