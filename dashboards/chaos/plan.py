"""What is broken when: a pure function of the settings, its seed among them.

Three strands are planned side by side, each with chance of its own: the hub, the processes of nodes, and their links.
What a lease is about needs more care, and is planned first: windows in which one node, or the hub, is silent for longer
than a lease. In most of them the hub is left alone, for one that starts, or stood still, counts all leases as renewed;
and never are so many nodes broken at once that the hub would suspect itself, rightly, and free nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, repeat
from math import ceil
from typing import Final

from dashboards.chaos.settings import ChaosSettings
from dashboards.installation.faults import (
    HOLES,
    LINK_FAULTS,
    ApiFault,
    FaultKind,
    HubFault,
    LinkFault,
    NodeFault,
)

HUB = "hub"

# Work is under way before the first fault, and the last one has ended before the end.
QUIET_BEFORE_S: Final = 3.0
QUIET_AFTER_S: Final = 1.0

# Nodes come back within seconds (docs/explanation/guarantees.md); what is measured after one kill of the hub must be
# over before the next.
HUB_CALM_S: Final = (8.0, 15.0)
NODE_CALM_S: Final = (3.0, 7.0)
LINK_CALM_S: Final = (1.0, 3.0)
# After a fault a node is left alone for as long as coming back may take.
VICTIM_CALM_S: Final = 3.0
# Between two windows of long silence.
LONG_CALM_S: Final = (12.0, 22.0)
# Beyond the time after which the hub frees an attempt: it then is for certain silent for too long.
LONG_EXTRA_S: Final = (2.0, 6.0)
# Of so many windows one has faults of the hub in it.
NOISY_EVERY: Final = 4
# The hub is silent for longer than a lease once, and only in a run of this many times that long: all work stands still.
HUB_LONG_SHARE: Final = 8.0
# Shorter ones stay clear of the lease, whatever coming back takes.
SHORT_SHARE_MAX: Final = 0.4
SHORT_S_MIN: Final = 0.3
# At this share of silent nodes, and three of them, a hub suspects itself.
SUSPICIOUS_SHARE: Final = 0.3

HUB_DOWN_S: Final = (0.5, 5.0)
NODE_DOWN_S: Final = (0.3, 4.0)
LATENCY_S: Final = (0.05, 0.8)
BYTES_PER_S: Final = (2_000, 50_000)
CUT_BYTES: Final = (1, 6_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault: at this time after the beginning, for so long, to the hub or to a node."""

    at_s: float
    for_s: float
    kind: FaultKind
    victim: str
    amount: float = 0.0
    """The latency in seconds, the bytes per second, or the bytes after which it is cut."""

    @property
    def until_s(self) -> float:
        """When it ends."""
        return self.at_s + self.for_s


def make_plan(settings: ChaosSettings) -> tuple[PlannedFault, ...]:
    """Plan all faults, in the order of their beginnings."""
    calendar = _Calendar(settings)
    long = _long_faults(settings, calendar)
    faults = [
        *long,
        *_hub_faults(settings, long),
        *_node_faults(settings, calendar),
        *_link_faults(settings, calendar),
    ]
    return tuple(sorted(faults, key=lambda fault: (fault.at_s, fault.victim, fault.kind)))


def make_api_plan(settings: ChaosSettings, node_ids: Sequence[str]) -> tuple[PlannedFault, ...]:
    """Plan what can be done to a running installation through its API: disconnect nodes, cordon them for a while."""
    chance = _chance(settings, "api")
    faults: list[PlannedFault] = []
    at_s = QUIET_BEFORE_S
    free_s = dict.fromkeys(node_ids, 0.0)
    while node_ids and at_s < settings.seconds - QUIET_AFTER_S:
        kind: ApiFault = chance.choice(("node_disconnected", "node_disconnected", "node_cordoned"))
        for_s = _round(chance.uniform(1, 4)) if kind == "node_cordoned" else 0.0
        victim = chance.choice(list(node_ids))
        if free_s[victim] <= at_s and at_s + for_s <= settings.seconds:
            faults.append(PlannedFault(at_s=at_s, for_s=for_s, kind=kind, victim=victim))
            free_s[victim] = at_s + for_s + VICTIM_CALM_S
        at_s = _round(at_s + chance.uniform(*LINK_CALM_S))
    return tuple(faults)


@dataclass(slots=True)
class _Calendar:
    """Which node is broken when."""

    settings: ChaosSettings
    taken: list[tuple[float, float, str]] = field(default_factory=list)

    @property
    def broken_max(self) -> int:
        """How many nodes may be broken at once."""
        nodes = self.settings.nodes
        return 1 if nodes < 3 else max(2, ceil(SUSPICIOUS_SHARE * nodes) - 1)

    def take(self, chance: random.Random, at_s: float, for_s: float) -> str | None:
        """Give a node that is well during this time, and mark it; None if too many are broken, or it ends too late."""
        if at_s + for_s > self.settings.seconds - QUIET_AFTER_S:
            return None
        busy = {node for begin_s, end_s, node in self.taken if begin_s < at_s + for_s and at_s < end_s}
        free = [node for node in self.settings.node_ids if node not in busy]
        if not free or len(busy) >= self.broken_max:
            return None
        node = chance.choice(free)
        self.taken.append((at_s, at_s + for_s + VICTIM_CALM_S, node))
        return node


def _long_faults(settings: ChaosSettings, calendar: _Calendar) -> list[PlannedFault]:
    """Plan the windows of silence that a lease runs out in."""
    chance = _chance(settings, "long")
    holes = cycle(HOLES)
    turns: list[Iterator[FaultKind]] = []
    if settings.pause:
        turns.append(repeat("node_paused"))
    if settings.cut_links:
        turns.append(holes)
    if not turns:
        return []
    faults: list[PlannedFault] = []
    is_hub_due = settings.pause and settings.seconds >= HUB_LONG_SHARE * settings.freed_after_s
    turn = cycle(turns)
    at_s = _round(QUIET_BEFORE_S + chance.uniform(0, 2))
    while True:
        for_s = _round(settings.freed_after_s + chance.uniform(*LONG_EXTRA_S))
        if at_s + for_s > settings.seconds - QUIET_AFTER_S:
            return faults
        if is_hub_due and at_s >= settings.seconds / 3:
            is_hub_due = False
            faults.append(PlannedFault(at_s=at_s, for_s=for_s, kind="hub_paused", victim=HUB))
        else:
            victim = calendar.take(chance, at_s, for_s)
            if victim is not None:
                faults.append(PlannedFault(at_s=at_s, for_s=for_s, kind=next(next(turn)), victim=victim))
        at_s = _round(at_s + for_s + chance.uniform(*LONG_CALM_S))


def _hub_faults(settings: ChaosSettings, long: Sequence[PlannedFault]) -> list[PlannedFault]:
    kinds: list[HubFault] = ["hub_killed", "hub_killed"] if settings.kill_hub else []
    if settings.pause:
        kinds.append("hub_paused")
    if not kinds:
        return []
    chance = _chance(settings, "hub")
    quiet = [fault for number, fault in enumerate(long, 1) if fault.victim == HUB or number % NOISY_EVERY]
    faults: list[PlannedFault] = []
    # With both there is a kill for certain, however short it is.
    kind = kinds[0]
    at_s = _round(QUIET_BEFORE_S + chance.uniform(0, 2))
    while True:
        for_s = _round(chance.uniform(*HUB_DOWN_S) if kind == "hub_killed" else _short_s(settings, chance))
        if at_s + for_s > settings.seconds - QUIET_AFTER_S:
            return faults
        window = next((fault for fault in quiet if _touches(fault, at_s, at_s + for_s)), None)
        if window is not None:
            at_s = _round(window.until_s + chance.uniform(1, 3))
            continue
        faults.append(PlannedFault(at_s=at_s, for_s=for_s, kind=kind, victim=HUB))
        at_s = _round(at_s + for_s + chance.uniform(*HUB_CALM_S))
        kind = chance.choice(kinds)


def _touches(window: PlannedFault, from_s: float, until_s: float) -> bool:
    """Tell whether a fault of the hub would disturb a window. Before a long pause its nodes are to be back."""
    before_s = HUB_CALM_S[0] if window.victim == HUB else 1.0
    return window.at_s < until_s + before_s and from_s < window.until_s + 1.0


def _node_faults(settings: ChaosSettings, calendar: _Calendar) -> list[PlannedFault]:
    kinds: list[NodeFault] = []
    if settings.kill_nodes:
        kinds.append("node_killed")
    if settings.pause:
        kinds.append("node_paused")
    if not kinds:
        return []
    chance = _chance(settings, "nodes")
    faults: list[PlannedFault] = []
    at_s = _round(QUIET_BEFORE_S + chance.uniform(0, 2))
    turn = cycle(kinds)
    kind = next(turn)
    while at_s < settings.seconds - QUIET_AFTER_S:
        for_s = _round(chance.uniform(*NODE_DOWN_S) if kind == "node_killed" else _short_s(settings, chance))
        victim = calendar.take(chance, at_s, for_s)
        if victim is not None:
            faults.append(PlannedFault(at_s=at_s, for_s=for_s, kind=kind, victim=victim))
            kind = next(turn)
        at_s = _round(at_s + chance.uniform(*NODE_CALM_S))
    return faults


def _link_faults(settings: ChaosSettings, calendar: _Calendar) -> list[PlannedFault]:
    if not settings.cut_links:
        return []
    chance = _chance(settings, "links")
    faults: list[PlannedFault] = []
    at_s = _round(QUIET_BEFORE_S + chance.uniform(0, 1))
    # All of them in an order of chance, again and again: a short run too has most of them.
    deck: list[LinkFault] = []
    while at_s < settings.seconds - QUIET_AFTER_S:
        deck = deck or chance.sample(LINK_FAULTS, len(LINK_FAULTS))
        for_s = 0.0 if deck[-1] == "link_reset" else _round(_short_s(settings, chance))
        amount = _amount(deck[-1], chance)
        victim = calendar.take(chance, at_s, for_s)
        if victim is not None:
            faults.append(PlannedFault(at_s=at_s, for_s=for_s, kind=deck.pop(), victim=victim, amount=amount))
        at_s = _round(at_s + chance.uniform(*LINK_CALM_S))
    return faults


def _amount(kind: FaultKind, chance: random.Random) -> float:
    match kind:
        case "link_late":
            return _round(chance.uniform(*LATENCY_S))
        case "link_narrow":
            return float(chance.randint(*BYTES_PER_S))
        case "link_cut":
            return float(chance.randint(*CUT_BYTES))
        case _:
            return 0.0


def _short_s(settings: ChaosSettings, chance: random.Random) -> float:
    return chance.uniform(SHORT_S_MIN, max(2 * SHORT_S_MIN, SHORT_SHARE_MAX * settings.lease_s))


def _chance(settings: ChaosSettings, strand: str) -> random.Random:
    # Nothing here is to be kept from anybody; it is to be the same again.
    return random.Random(f"{settings.seed}:{strand}")  # noqa: S311


def _round(seconds: float) -> float:
    return round(seconds, 3)
