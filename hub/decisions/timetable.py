"""What the passing of time asks of the hub: to look who is late, which leases ran out, what is due, what waits."""

from __future__ import annotations

from hub.decisions import effects as does
from hub.decisions.connections import Connections
from hub.decisions.core_state import CoreState
from hub.decisions.effects import Effect
from hub.decisions.offers import Offers
from hub.decisions.silences import Silences
from hub.store.nodes import NodeSeen
from hub.store.now import Now
from hub.store.sweeps import Sweep, Swept

# How often the store is asked for due tasks, for what was queued by others, and told who was heard of.
SWEEP_EVERY_S = 0.5
CLAIM_EVERY_S = 2.0
SEEN_EVERY_S = 10.0

# How often it is looked who is late: a look at each connection, and what is late is so by seconds.
LATE_EVERY_S = 2.0

# Ticks are at most half a second apart. A longer gap than this means that the hub itself was stopped.
STOOD_STILL_S = 5.0


class Timetable:
    """When each thing that the hub does by itself is due next, in steady time."""

    def __init__(self, state: CoreState, connections: Connections, offers: Offers, silences: Silences) -> None:
        self._state = state
        self._connections = connections
        self._offers = offers
        self._silences = silences
        self._ticked_s: float | None = None
        self._late_at_s = 0.0
        self._claim_at_s = 0.0
        self._seen_at_s = 0.0
        self._sweep_at_s = 0.0
        # One sweep at a time is on its way to the store.
        self._sweeping = False

    def wake_at_s(self) -> float:
        """Give the steady time of the next `tick` that can matter."""
        return min(self._sweep_at_s, self._claim_at_s)

    def tick(self, now: Now) -> list[Effect]:
        """Do what is due: late sockets, silent nodes, leases, due tasks, claims."""
        now_s = now.steady_s
        if self._ticked_s is not None and now_s - self._ticked_s > STOOD_STILL_S:
            # This process stood still: what was said to it meanwhile lies unread.
            self._silences.renew(now_s)
        self._ticked_s = now_s
        self._state.roster.disinherit(now_s)
        told: list[Effect] = []
        if now_s >= self._late_at_s:
            self._late_at_s = now_s + LATE_EVERY_S
            told += self._connections.close_late(now_s)
        if self._state.degraded is not None:
            return told
        told += self._silences.release(now_s)
        if now_s >= self._sweep_at_s and not self._sweeping:
            self._sweeping = True
            self._sweep_at_s = now_s + SWEEP_EVERY_S
            told.append(does.Persist(self._sweep()))
        if now_s >= self._claim_at_s and not self._state.is_stopping:
            self._claim_at_s = now_s + CLAIM_EVERY_S
            told += self._offers.claim_any()
        if now_s >= self._seen_at_s:
            told += self._tell_seen(now_s)
        return told

    def _tell_seen(self, now_s: float) -> list[Effect]:
        seen = self._state.roster.take_seen()
        if not seen:
            return []
        self._seen_at_s = now_s + SEEN_EVERY_S
        return [does.Persist(NodeSeen(nodes=seen))]

    # --- sweeps -----------------------------------------------------------------------------------------------------

    def _sweep(self) -> Sweep:
        settings = self._state.settings
        return Sweep(
            retention_s=settings.retention_s,
            retention_count=settings.retention_count,
            gone_after_s=settings.gone_after_s,
        )

    def sweep_by(self, at_s: float) -> None:
        """Sweep at this time at the latest: something is due then."""
        self._sweep_at_s = min(self._sweep_at_s, at_s)

    def swept(self, answer: Swept, now: Now) -> None:
        """A sweep is committed: go on at once if there is more, or when the next task is due."""
        self._sweeping = False
        if answer.more:
            self._sweep_at_s = now.steady_s
        elif answer.next_due_in_s is not None:
            self.sweep_by(now.steady_s + max(0.0, answer.next_due_in_s))

    def failed(self) -> None:
        """An operation failed. If it was the sweep, the next must not wait for it."""
        self._sweeping = False
