"""Virtual time: what is to happen, ordered by its time and then by who asked first."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """The only clock of a simulated world, in seconds. Nothing in it waits: time jumps to what comes next."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def at(self, due_s: float, action: Callable[[], None]) -> None:
        """Have this done then; at once, behind what is due already, if that time has passed."""
        self._asked += 1
        heapq.heappush(self._due, (max(due_s, self.now_s), self._asked, action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Have this done in so many seconds."""
        self.at(self.now_s + delay_s, action)

    def run_until(self, until_s: float) -> None:
        """Do everything that is due by then, in order."""
        due = self._due
        while due and due[0][0] <= until_s:
            self.now_s, _, action = heapq.heappop(due)
            action()
        self.now_s = max(self.now_s, until_s)


class Trace:
    """What happened, a line each; keeps nothing unless it is asked to, so that a run costs the same."""

    def __init__(self, agenda: Agenda, *, is_kept: bool) -> None:
        self._agenda = agenda
        self.is_kept = is_kept
        self.lines: list[str] = []

    def note(self, who: str, what: str) -> None:
        """Keep a line with the virtual time."""
        if self.is_kept:
            self.lines.append(f"{self._agenda.now_s:10.4f}  {who:<10} {what}")
