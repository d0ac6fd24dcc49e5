"""How long nodes were away: from the event that says so to the one that says that they are back.

No I/O and no clock: events carry their times. A hub that starts says of all nodes that they are away, so the way back
after a restart counts from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.decisions.meter import Histogram
from hub.store.events import Event


class Reconnects:
    """Counts the times between a disconnect and the next registration or resumption of the same node."""

    def __init__(self) -> None:
        self.times = Histogram()
        # Who is unreachable, and since when: bounded by the nodes there are, since the others are gone in the end.
        self._away: dict[str, float] = {}

    def take(self, events: Sequence[Event]) -> None:
        """Note who left and who came back."""
        for event in events:
            if event.kind == "node.unreachable":
                self._away.setdefault(event.node_id, event.at)
            elif event.kind in {"node.online", "node.draining"}:
                left_at = self._away.pop(event.node_id, None)
                if left_at is not None:
                    # Somebody may have set the wall clock back.
                    self.times.add(max(0.0, event.at - left_at))
            elif event.kind == "node.gone":
                self._away.pop(event.node_id, None)
