"""A process: what it has yet to do dies with it, waits while it stands still; it may be killed between two steps."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from tests.simulation.agenda import Agenda, Trace

# A process that wakes does what has piled up in any order, within this time.
WAKES_WITHIN_S = 0.02


class CrashedError(Exception):
    """The process was killed here. Whoever runs it catches this; nothing of the process may."""


class Process:
    """One run of a program.

    Args:
        name: what the trace calls it.
        agenda: the time.
        trace: where its steps are noted.
        luck: where its own chance comes from.
    """

    def __init__(self, name: str, agenda: Agenda, trace: Trace, luck: random.Random) -> None:
        self.name = name
        self.agenda = agenda
        self.trace = trace
        self.luck = luck
        self.is_alive = True
        self.still_until_s = 0.0
        self.stood_still_s = 0.0
        self._still_since_s = 0.0
        self._has_slept = False
        self._deferred: list[Callable[[], None]] = []
        self._steps_left: int | None = None

    # --- for the process itself ---------------------------------------------------------------------------------------

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Have this process do something later."""
        self.agenda.after(delay_s, partial(self.run, action))

    def soon(self, action: Callable[[], None], within_s: float = 0.002) -> None:
        """Have this process do something as soon as its loop or thread comes to it."""
        self.after(self.luck.random() * within_s, action)

    def step(self, what: str) -> None:
        """Take one step whose effect can be seen from outside; it may be the one before which the process is killed."""
        if self._steps_left is not None:
            self._steps_left -= 1
            if self._steps_left < 0:
                self.trace.note(self.name, f"KILLED before: {what}")
                raise CrashedError(what)
        self.trace.note(self.name, what)

    # --- for whoever runs it ------------------------------------------------------------------------------------------

    def run(self, action: Callable[[], None]) -> None:
        """Do this now, or when the process stands still no longer; never once it is dead."""
        if not self.is_alive:
            return
        if self.agenda.now_s < self.still_until_s:
            self._deferred.append(action)
            return
        try:
            action()
        except CrashedError:
            self.die()
            return
        if self._has_slept:
            self.stood_still_s = self.agenda.now_s - self._still_since_s
            self._has_slept = not self.woke()

    def kill_after(self, steps: int) -> None:
        """Kill it before the step after so many more, whichever that is."""
        self._steps_left = steps

    def mend(self) -> None:
        """Let it live, and go on at once."""
        self._steps_left = None
        self.still_until_s = min(self.still_until_s, self.agenda.now_s)
        self._wake()

    def stand_still(self, seconds: float) -> None:
        """Stop it (SIGSTOP) for so long."""
        self.still_until_s = max(self.still_until_s, self.agenda.now_s + seconds)
        self._still_since_s = self.agenda.now_s
        self._has_slept = True
        self.agenda.at(self.still_until_s, self._wake)
        self.trace.note(self.name, f"STANDS STILL for {seconds:.1f} s")

    def _wake(self) -> None:
        """Do what has piled up, in any order."""
        if self.agenda.now_s >= self.still_until_s:
            deferred, self._deferred = self._deferred, []
            for action in deferred:
                self.after(self.luck.random() * WAKES_WITHIN_S, action)

    def die(self) -> None:
        """End it at once, with all that it had in memory."""
        self.is_alive = False

    def woke(self) -> bool:
        """Take note that something was done after a standstill; False to be told of the next thing, too."""
        return True
