"""Count along with the truth: what runs where right now, and which results have not reached a client yet.

This goes on while the hub is dead, which is just when it is interesting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dashboards.installation.truth import TruthLine


class Tally:
    """Runs under way and results under way, by node."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int, str], str] = {}
        self._ended: dict[str, str] = {}
        self._told: set[str] = set()
        self.ended: Counter[str] = Counter()
        """Runs that came to their end, by node."""

    def add(self, lines: Iterable[TruthLine]) -> None:
        """Take new lines of the truth into account."""
        for line in lines:
            key = (line.task_id, line.attempt, line.instance)
            if line.event == "start":
                self._running[key] = line.node
            else:
                self._running.pop(key, None)
                self.ended[line.node] += 1
                if line.task_id not in self._told:
                    self._ended[line.task_id] = line.node

    def tell(self, task_id: str) -> None:
        """Note that a client was told the outcome."""
        self._told.add(task_id)
        self._ended.pop(task_id, None)

    def bury(self, node: str) -> None:
        """Note that a node's process is dead: what it ran is not running any more."""
        self._running = {key: where for key, where in self._running.items() if where != node}

    def running(self) -> Counter[str]:
        """Give the number of runs under way, by node."""
        return Counter(self._running.values())

    def waiting(self) -> Counter[str]:
        """Give the number of results that exist and that no client was told yet, by node."""
        return Counter(self._ended.values())
