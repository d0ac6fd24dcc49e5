"""What a hub counts for its metrics alone: how late its loop is, and how long nodes were away."""

from __future__ import annotations

from hub.decisions.meter import Histogram, Meter
from hub.decisions.reconnects import Reconnects
from hub.store.contract import Committed

_OF_NODES = ("node.online", "node.draining", "node.unreachable", "node.gone")


class Instruments:
    """Handed what happens; on the event loop."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._moves_seen = 0
        self.reconnects = Reconnects()
        self.loop_lags = Histogram()

    def committed(self, committed: Committed) -> None:
        """Look for nodes in a commit that the meter has taken. Most commits have none, and cost four look-ups."""
        counts = self._meter.counts
        moves = sum(counts[kind] for kind in _OF_NODES)
        if moves != self._moves_seen:
            self._moves_seen = moves
            self.reconnects.take(committed.events)

    def ticked(self, late_s: float) -> None:
        """Note that the loop came to its tick so late."""
        self.loop_lags.add(max(0.0, late_s))
