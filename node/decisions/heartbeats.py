"""When the hub is next told that the node lives, what of that it has confirmed, and when its silence is too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from node.decisions.attempts import HEARTBEATS_PER_LEASE

# The connection is left if nothing came for so many heartbeats: two may be late or lost.
SILENT_HEARTBEATS: Final = 3

# Until a hub has named its interval.
HEARTBEAT_S: Final = 10.0

# However short a lease, heartbeats are not sent faster: a lease below a second is not one.
HEARTBEAT_S_MIN: Final = 0.2

# Heartbeats that are remembered until they are acked; the connection is left long before so many are missing.
HEARTBEATS_MAX: Final = 100


class Heartbeats:
    """The heartbeats of one node. ``confirmed_s`` outlives connections; all else begins anew with each session."""

    def __init__(self) -> None:
        self._every_s = HEARTBEAT_S
        self._sequence = 0
        self._sent_s: dict[int, float] = {}
        self.due_s = 0.0
        """When the next one is to be sent."""
        self.heard_s = 0.0
        """When the hub said something last."""
        self.confirmed_s = float("-inf")
        """When that was sent which a hub confirmed last; minus infinity before the first time. Leases count from it."""
        self.round_trip_ms: float | None = None

    @property
    def silent_at_s(self) -> float:
        """When the hub has said nothing for so long that its connection is left."""
        return self.heard_s + SILENT_HEARTBEATS * self._every_s

    @property
    def unconfirmed(self) -> int:
        """How many were sent in this session and have no answer yet."""
        return len(self._sent_s)

    def begin(self, every_s: float, now_s: float, shortest_lease_s: float | None, luck: Callable[[], float]) -> None:
        """Begin a session with the hub's interval.

        The first heartbeat falls anywhere within the interval: a fleet that came at once does not beat at once.
        """
        self._every_s = max(every_s, HEARTBEAT_S_MIN)
        self._sequence = 0
        self._sent_s.clear()
        self.due_s = now_s + self._due_every_s(shortest_lease_s) * luck()

    def send(self, now_s: float, shortest_lease_s: float | None) -> int:
        """Note that one is sent now; gives its sequence number."""
        self._sequence += 1
        self._sent_s[self._sequence] = now_s
        while len(self._sent_s) > HEARTBEATS_MAX:
            del self._sent_s[next(iter(self._sent_s))]
        self.due_s = now_s + self._due_every_s(shortest_lease_s)
        return self._sequence

    def hasten(self, shortest_lease_s: float | None) -> None:
        """Beat sooner if what was pushed has a lease so short that it needs that."""
        renewed_s = next(reversed(self._sent_s.values()), self.confirmed_s)
        self.due_s = min(self.due_s, renewed_s + self._due_every_s(shortest_lease_s))

    def acked(self, sequence: int, now_s: float) -> bool:
        """Take the hub's answer to a heartbeat; False: to none that is known."""
        sent_s = self._sent_s.get(sequence)
        if sent_s is None:
            return False
        for earlier in [number for number in self._sent_s if number <= sequence]:
            del self._sent_s[earlier]
        self.round_trip_ms = (now_s - sent_s) * 1000
        self.confirm(sent_s)
        return True

    def confirm(self, sent_s: float) -> None:
        """The hub has answered what was sent at this time."""
        self.confirmed_s = max(self.confirmed_s, sent_s)

    def _due_every_s(self, shortest_lease_s: float | None) -> float:
        """Heartbeats are at least as frequent as the shortest lease needs."""
        if shortest_lease_s is None:
            return self._every_s
        return max(HEARTBEAT_S_MIN, min(self._every_s, shortest_lease_s / HEARTBEATS_PER_LEASE))
