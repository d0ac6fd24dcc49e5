"""What is to be seen at one moment, as values. The picture and the plain lines are both made of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dashboards.demo.scenario import Phase

NodeState: TypeAlias = Literal["starting", "online", "alone", "away", "dead"]
"""`alone`: its process runs, and there is no hub; `away`: there is a hub, and it does not see the node."""

HubState: TypeAlias = Literal["starting", "up", "dead"]

Tone: TypeAlias = Literal["plain", "good", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLook:
    """One node."""

    node_id: str
    state: NodeState
    slots: int
    running: int
    done: int
    waiting: int
    """Results that exist and that no client was told of yet: the node keeps them, or the hub has just got them."""
    reconnects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something worth a line, and when."""

    elapsed_s: float
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All of it. ``rates``: outcomes per second that clients were told, oldest first, one per half second."""

    elapsed_s: float
    phase: Phase
    hub: HubState
    tasks: int
    accepted: int
    outcomes: Mapping[str, int]
    running: int
    waiting: int
    rates: Sequence[float]
    nodes: Sequence[NodeLook]
    happenings: Sequence[Happening]
    verdict: Sequence[tuple[str, bool]] = ()
    """What was checked and whether it held; empty until it was."""

    @property
    def told(self) -> int:
        """How many tasks a client was told the outcome of."""
        return sum(self.outcomes.values())
