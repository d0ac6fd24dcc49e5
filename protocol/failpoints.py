"""Places where a process can be made to die, to fail or to stand still, so that a test can look at what holds then.

``MOORLINE_FAILPOINT=name:action[:nth]`` arms them, several with commas between; without it nothing here does anything.

- ``kill``: the process ends at once, as by ``kill -9``.
- ``error``: what was about to happen fails, in the way in which it may fail there (the disk, the connection).
- ``sleep``: the thread stands still for `SLEEP_S`.

``nth`` counts from 1, the default: the action is taken at the n-th time that the place is reached, and then no more.
Names begin with ``hub.`` or ``node.``; which there are is written in `hub.failpoints` and `node.failpoints`. Both share
this, and neither may import the other: so it stands beside the wire.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Final

VARIABLE: Final = "MOORLINE_FAILPOINT"

# Longer than any heartbeat interval that a test uses, shorter than any test's patience.
SLEEP_S: Final = 2.0


class Action(Enum):
    """What is done where a failpoint is reached."""

    KILL = "kill"
    ERROR = "error"
    SLEEP = "sleep"


class BadFailpointError(ValueError):
    """The variable names no place, no action or no number; the text says what would be right."""


class Failpoints:
    """Those of one process.

    Args:
        names: every place that the process has, and whether something can fail there.
        text: what the variable says; empty: nothing is armed.
        prefix: the process's own; names with another prefix are somebody else's and are passed over.

    Raises:
        BadFailpointError: ``text`` cannot be read, or names a place of this process that there is not.
    """

    def __init__(self, names: Mapping[str, bool], text: str, *, prefix: str) -> None:
        self._armed: dict[str, tuple[Action, int]] = {}
        # Several threads reach the same place, and one of them is the n-th.
        self._lock = threading.Lock()
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, action, nth = _parse(part)
            if not name.startswith(prefix):
                continue
            if name not in names:
                raise BadFailpointError(f"{VARIABLE}: there is no {name}; there are {', '.join(sorted(names))}")
            if action is Action.ERROR and not names[name]:
                raise BadFailpointError(f"{VARIABLE}: at {name} nothing can fail; kill and sleep are possible")
            self._armed[name] = (action, nth)

    @property
    def is_armed(self) -> bool:
        """Whether anything at all can happen; where names must be made first, ask this before."""
        return bool(self._armed)

    def hit(self, name: str, error: Callable[[str], Exception] = OSError) -> None:
        """Say that a place is reached.

        Raises:
            the given error: the action is ``error``, and this is the time.
        """
        if not self._armed or name not in self._armed:
            return
        with self._lock:
            action, left = self._armed[name]
            self._armed[name] = (action, left - 1)
        if left != 1:
            return
        match action:
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
                # The signal takes a moment; this thread must do nothing more.
                time.sleep(SLEEP_S)
            case Action.SLEEP:
                time.sleep(SLEEP_S)
            case Action.ERROR:
                raise error(f"failpoint {name}")

    def hit_each(self, prefix: str, kinds: Iterable[str], error: Callable[[str], Exception] = OSError) -> None:
        """Say that the places ``prefix.kind`` are reached, each once, whatever is repeated.

        Raises:
            the given error: as `hit`.
        """
        if self._armed:
            for kind in dict.fromkeys(kinds):
                self.hit(f"{prefix}.{kind}", error)


def _parse(part: str) -> tuple[str, Action, int]:
    name, _, rest = part.partition(":")
    action, _, nth = rest.partition(":")
    try:
        times = int(nth or "1")
        if times >= 1:
            return name, Action(action), times
    except ValueError:
        pass
    raise BadFailpointError(f"{VARIABLE}: {part!r} should be name:kill|error|sleep[:nth], with nth from 1")
