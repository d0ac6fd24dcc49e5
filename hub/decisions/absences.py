"""Instances that may hold attempts and have no connection: since when, and when the next lease of theirs runs out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from hub.decisions.leases import is_silent, remaining_s, suspects_itself
from hub.store.attempts import Silence

Holder: TypeAlias = tuple[str, str]
"""``(node_id, instance_id)``"""

# The shortest lease that a task may have; before this much silence nothing can be due.
LEASE_S_MIN = 1.0


class Absences:
    """Who is away, handed the time. Bounded by the instances that hold attempts: the store drops the others."""

    def __init__(self) -> None:
        self._heard_s: dict[Holder, float] = {}
        self._due_silence_s: dict[Holder, float] = {}
        self._asked: set[Holder] = set()

    def __len__(self) -> int:
        return len(self._heard_s)

    def begin(self, holder: Holder, heard_s: float) -> None:
        """Note that an instance has no connection, and when it was last heard of."""
        self._heard_s[holder] = heard_s
        self._due_silence_s[holder] = remaining_s(LEASE_S_MIN, 0.0)

    def renew(self, now_s: float) -> None:
        """Count every lease as renewed: the hub could not hear, or not take, what was said to it."""
        for holder in list(self._heard_s):
            self.begin(holder, now_s)

    def end(self, holder: Holder) -> None:
        """Note that it is back, or holds nothing; twice is harmless."""
        self._heard_s.pop(holder, None)
        self._due_silence_s.pop(holder, None)
        self._asked.discard(holder)

    def due(self, now_s: float) -> list[Silence]:
        """Give the silences that are long enough for a lease to have run out, and that are not being looked at."""
        found = []
        for holder, heard_s in self._heard_s.items():
            silent_s = now_s - heard_s
            if silent_s >= self._due_silence_s[holder] and holder not in self._asked:
                self._asked.add(holder)
                found.append(Silence(holder[0], holder[1], silent_s))
        return found

    def answer(self, holders: Sequence[Holder], next_due_s: Sequence[float | None], now_s: float) -> None:
        """Note the store's answer: how much longer each must be silent until its next lease runs out, None if it holds
        nothing more.
        """
        for holder, more_s in zip(holders, next_due_s, strict=True):
            self._asked.discard(holder)
            if holder not in self._heard_s:
                continue
            if more_s is None:
                self.end(holder)
            else:
                self._due_silence_s[holder] = now_s - self._heard_s[holder] + max(0.0, more_s)

    def is_suspicious(self, live: Collection[str], heartbeat_s: float, gone_after_s: float, now_s: float) -> bool:
        """Tell whether so many are silent that the fault is more likely the hub's. Nodes that have been away for
        ``gone_after_s`` count no more, so the suspicion ends by itself; nor do those that are ``live`` as another
        instance, since they are heard.
        """
        silent = {
            node_id
            for (node_id, _), heard_s in self._heard_s.items()
            if is_silent(now_s - heard_s, heartbeat_s) and now_s - heard_s < gone_after_s and node_id not in live
        }
        return suspects_itself(len(silent), len(live) + len(silent))
