"""Everything that is written down while it goes on: what was broken, what came of it, and what is worth a line."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.installation.faults import AUDIBLE, FaultKind
from dashboards.installation.outages import Outage
from moorline.views import NodeView

# A node whose connection outlived a fault is heard of at its next heartbeat. That it did outlive it is certain once the
# time has passed after which a node leaves a connection on which it hears nothing (3 heartbeats of 1 s).
HEARTBEAT_S: Final = 1.0
SETTLED_S: Final = 4.0
# A node that is not back when the hub goes away again counts with the time that it had, if that was any to speak of.
WAITED_S_MIN: Final = 5.0
# What the live view shows; all of it is in the report.
HAPPENINGS_SHOWN: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something worth a line, and when."""

    elapsed_s: float
    text: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneFault:
    """A fault as it really was. Wall-clock seconds; ``amount`` is that of the plan."""

    kind: FaultKind
    victim: str
    began_at: float
    ended_at: float
    amount: float = 0.0


@dataclass(slots=True, kw_only=True)
class HubDeath:
    """One kill of the hub, and how its nodes came back from it."""

    killed_at: float
    ready_at: float
    awaited: set[str]
    """Nodes that nothing else keeps away and that are not back yet."""
    back_s: float = 0.0
    """Until the last of those that are back was, from when the hub was ready."""


class Ledger:
    """One for each run. One event loop, so no locks."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self._started_s = time.monotonic()
        self.outages: list[Outage] = []
        self._open: list[Outage] = []
        self.faults: list[DoneFault] = []
        self.hub_deaths: list[HubDeath] = []
        self.hub_away: list[tuple[float, float]] = []
        """When the hub was dead or stood still."""
        self.happenings: list[Happening] = []
        self.recent: deque[Happening] = deque(maxlen=HAPPENINGS_SHOWN)
        self.nodes: dict[str, NodeView] = {}

    def elapsed_s(self) -> float:
        """Give the seconds since it began."""
        return time.monotonic() - self._started_s

    def happen(self, text: str, *, is_bad: bool = False) -> None:
        """Note something that is worth a line."""
        happening = Happening(elapsed_s=self.elapsed_s(), text=text, is_bad=is_bad)
        self.happenings.append(happening)
        self.recent.append(happening)

    def faults_done(self) -> Counter[str]:
        """Give how many faults there were, by kind."""
        return Counter(fault.kind for fault in self.faults)

    # --- outages ------------------------------------------------------------------------------------------------------

    def begin(self, kind: FaultKind, nodes: Iterable[str]) -> list[Outage]:
        """Note that something breaks, just before it does."""
        now_at = time.time()
        begun = [Outage(node=node, kind=kind, began_at=now_at) for node in nodes]
        self.outages += begun
        self._open += begun
        return begun

    def hub_goes_away(self) -> None:
        """Note that the hub is about to be killed or paused: whoever is not back by now is waited for no longer."""
        now_at = time.time()
        for death in self.hub_deaths:
            if death.awaited and now_at - death.ready_at >= WAITED_S_MIN:
                death.back_s = max(death.back_s, now_at - death.ready_at)
            death.awaited.clear()

    def mend(self, outages: Iterable[Outage]) -> None:
        """Note that it is whole again."""
        now_at = time.time()
        for outage in outages:
            if outage.mended_at is None:
                outage.mended_at = now_at

    def is_broken(self, kind: FaultKind, node: str | None = None) -> bool:
        """Tell whether a node, or any of them, is broken in this way now."""
        return any(
            outage.kind == kind and outage.mended_at is None and node in {None, outage.node} for outage in self._open
        )

    def is_disturbed(self, node: str, since_at: float) -> bool:
        """Tell whether a fault of the node's own has kept it away at any time since then."""
        return any(
            outage.node == node
            and outage.kind not in AUDIBLE
            and not outage.kind.startswith("hub")
            and (outage.recovered_at is None or outage.recovered_at >= since_at)
            for outage in self.outages
        )

    # --- what the hub says of its nodes -------------------------------------------------------------------------------

    def note_nodes(self, views: Sequence[NodeView]) -> None:
        """Note which nodes the hub has heard of, and close the outages that are over."""
        now_at = time.time()
        self.nodes = {view.id: view for view in views}
        for outage in self._open:
            view = self.nodes.get(outage.node)
            if view is not None and view.state == "online" and outage.mended_at is not None:
                outage.recovered_at = _recovered_at(view.connected_at or 0.0, outage.mended_at, now_at)
        self._open = [outage for outage in self._open if outage.recovered_at is None]
        for death in self.hub_deaths:
            self._note_back(death)

    def is_back(self, node: str, since_at: float) -> bool:
        """Tell whether the hub sees a node that connected after this time."""
        view = self.nodes.get(node)
        return view is not None and view.state == "online" and (view.connected_at or 0.0) >= since_at

    def _note_back(self, death: HubDeath) -> None:
        for node in list(death.awaited):
            if self.is_disturbed(node, death.killed_at):
                death.awaited.discard(node)
            elif self.is_back(node, death.killed_at):
                death.awaited.discard(node)
                connected_at = self.nodes[node].connected_at or 0.0
                death.back_s = max(death.back_s, connected_at - death.ready_at)


def _recovered_at(connected_at: float, mended_at: float, now_at: float) -> float | None:
    """Give since when a node that is online has been heard of again after a mend; None if that is not certain yet."""
    if connected_at > mended_at:
        return connected_at
    return mended_at + HEARTBEAT_S if now_at >= mended_at + SETTLED_S else None
