"""What happens when: the phases of the demo, one way out of each, decided from facts alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

# Long enough to be seen, and for nodes to have failed to come back at least once.
HUB_ABSENCE_S = 1.5
NODE_ABSENCE_S = 1.2
# What must be running when the hub is killed: else nothing is proved.
RUNNING_MIN = 3


class Phase(Enum):
    """Where the demo stands. In this order, and each is left by one road only."""

    STARTING = auto()
    """Hub and nodes come up."""
    WORKING = auto()
    """Everybody works undisturbed."""
    HUB_DEAD = auto()
    """The hub was killed; the nodes go on with what they run and keep its results."""
    HUB_STARTING = auto()
    """The hub's process is started again and is not ready yet."""
    NODES_RETURNING = auto()
    """The hub is ready; its nodes come back by themselves and hand in what they kept."""
    WORKING_AGAIN = auto()
    """All nodes are back."""
    NODE_DEAD = auto()
    """One node was killed with all that it ran."""
    NODE_RETURNING = auto()
    """The node's process is started again on the same state folder."""
    FINISHING = auto()
    """What is left is done."""
    CHECKING = auto()
    """All outcomes are told; the truth is held against them."""


class Action(Enum):
    """What the shell does when a phase is left."""

    NONE = auto()
    KILL_HUB = auto()
    START_HUB = auto()
    KILL_NODE = auto()
    START_NODE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision depends on."""

    phase: Phase
    in_phase_s: float
    tasks: int
    told: int
    running: int
    victim_running: int
    """Runs on the node that is to be killed."""
    nodes: int
    nodes_online: int
    hub_is_ready: bool
    victim_is_new: bool
    """Whether the killed node has connected again since its death."""


@dataclass(frozen=True, slots=True)
class Step:
    """Do this, and then the phase is that."""

    action: Action
    phase: Phase


_ROADS: dict[Phase, tuple[Callable[[Facts], bool], Step]] = {
    Phase.STARTING: (
        lambda facts: facts.nodes_online == facts.nodes,
        Step(Action.NONE, Phase.WORKING),
    ),
    Phase.WORKING: (
        lambda facts: 3 * facts.told >= facts.tasks and facts.running >= RUNNING_MIN,
        Step(Action.KILL_HUB, Phase.HUB_DEAD),
    ),
    Phase.HUB_DEAD: (
        lambda facts: facts.in_phase_s >= HUB_ABSENCE_S,
        Step(Action.START_HUB, Phase.HUB_STARTING),
    ),
    Phase.HUB_STARTING: (
        lambda facts: facts.hub_is_ready,
        Step(Action.NONE, Phase.NODES_RETURNING),
    ),
    Phase.NODES_RETURNING: (
        lambda facts: facts.nodes_online == facts.nodes,
        Step(Action.NONE, Phase.WORKING_AGAIN),
    ),
    Phase.WORKING_AGAIN: (
        lambda facts: 3 * facts.told >= 2 * facts.tasks and facts.victim_running > 0,
        Step(Action.KILL_NODE, Phase.NODE_DEAD),
    ),
    Phase.NODE_DEAD: (
        lambda facts: facts.in_phase_s >= NODE_ABSENCE_S,
        Step(Action.START_NODE, Phase.NODE_RETURNING),
    ),
    Phase.NODE_RETURNING: (
        lambda facts: facts.victim_is_new and facts.nodes_online == facts.nodes,
        Step(Action.NONE, Phase.FINISHING),
    ),
    Phase.FINISHING: (
        lambda facts: facts.told == facts.tasks,
        Step(Action.NONE, Phase.CHECKING),
    ),
}


def next_step(facts: Facts) -> Step | None:
    """Give what is to be done now, or None to go on waiting.

    When all tasks are told before everything has been killed, it goes straight to the check: the report then says
    that fewer were killed.
    """
    if facts.phase is Phase.CHECKING:
        return None
    if facts.told == facts.tasks and facts.phase in {Phase.WORKING, Phase.WORKING_AGAIN}:
        return Step(Action.NONE, Phase.CHECKING)
    is_time, step = _ROADS[facts.phase]
    return step if is_time(facts) else None


def sentence(phase: Phase) -> str:
    """Say in words what is going on."""
    return _SENTENCES[phase]


_SENTENCES = {
    Phase.STARTING: "Starting a hub and three nodes",
    Phase.WORKING: "All is well: three nodes at work",
    Phase.HUB_DEAD: "The hub is dead. The nodes go on with what they run",
    Phase.HUB_STARTING: "The hub comes up again on the same disk",
    Phase.NODES_RETURNING: "The hub is back. Nodes return by themselves",
    Phase.WORKING_AGAIN: "Everybody is back, and nothing was run again",
    Phase.NODE_DEAD: "One node is dead, with all that it ran",
    Phase.NODE_RETURNING: "The node comes up again and says what it lost",
    Phase.FINISHING: "The rest gets done",
    Phase.CHECKING: "Holding the truth against what was told",
}
