"""What can be broken, by name, and what each of it means to those who work."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

HubFault: TypeAlias = Literal["hub_killed", "hub_paused"]
NodeFault: TypeAlias = Literal["node_killed", "node_paused"]
LinkFault: TypeAlias = Literal[
    "link_reset",
    "link_cut",
    "link_black_hole_up",
    "link_black_hole_down",
    "link_black_hole",
    "link_stalled",
    "link_late",
    "link_narrow",
    "link_refused",
    "link_closed",
]
ApiFault: TypeAlias = Literal["node_disconnected", "node_cordoned"]
FaultKind: TypeAlias = HubFault | NodeFault | LinkFault | ApiFault

LINK_FAULTS: Final[tuple[LinkFault, ...]] = get_args(LinkFault)
# What may last for longer than a lease: nothing arrives, and nobody is told.
HOLES: Final[tuple[LinkFault, ...]] = ("link_black_hole_up", "link_black_hole_down", "link_black_hole", "link_stalled")
# What lets words through: such a link is bad, and not silent.
AUDIBLE: Final[frozenset[FaultKind]] = frozenset({"link_late", "link_narrow", "node_cordoned"})
# What makes a process stand still, its handlers with it.
FREEZING: Final[frozenset[FaultKind]] = frozenset({"node_paused"})
# What ends a process, and with it what it ran.
DEADLY: Final[frozenset[FaultKind]] = frozenset({"node_killed"})
