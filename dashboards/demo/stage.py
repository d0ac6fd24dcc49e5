"""All that is known while the demo runs, from three sides: the truth file, the hub's API, and the client."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from dashboards.demo.checker import Death, Evidence, Told
from dashboards.demo.customer import Customer
from dashboards.demo.fleet import Fleet
from dashboards.demo.hub_view import NodeView
from dashboards.demo.scenario import Facts, Phase
from dashboards.demo.snapshot import Happening, HubState, NodeLook, NodeState, Snapshot, Tone
from dashboards.demo.statistics import check_growth
from dashboards.demo.tally import Tally
from dashboards.demo.truth_file import TruthFile

RATE_EVERY_S = 0.5


class Stage:
    """Takes note, and gives facts to decide by and snapshots to draw. One event loop, so no locks."""

    def __init__(self, fleet: Fleet, *, tasks: int) -> None:
        self.fleet = fleet
        self.tasks = tasks
        self.phase = Phase.STARTING
        self.hub: HubState = "starting"
        self.deaths: list[Death] = []
        self.statistics_problems: list[str] = []
        self.rates: list[float] = []
        self.verdict: Sequence[tuple[str, bool]] = ()
        self.told: Counter[str] = Counter()
        self.customer: Customer | None = None
        # It has as much to do as the others; which one it is makes no difference.
        self.victim = list(fleet.nodes)[-1]
        self._truth = TruthFile(fleet.truth_path)
        self._tally = Tally()
        self._nodes: dict[str, NodeView] = {}
        self._connects_awaited: dict[str, int] = {}
        self._happenings: list[Happening] = []
        self._started_s = self._phase_since_s = time.monotonic()

    # --- taking note ------------------------------------------------------------------------------------------------

    def enter(self, phase: Phase) -> None:
        """Note that another phase has begun."""
        self.phase = phase
        self._phase_since_s = time.monotonic()

    def happen(self, text: str, tone: Tone = "plain") -> None:
        """Note something that is worth a line."""
        self._happenings.append(Happening(elapsed_s=self.elapsed_s(), text=text, tone=tone))

    def read_truth(self) -> None:
        """Note what the nodes have written since the last time."""
        self._tally.add(self._truth.read_new())

    def note_told(self, told: Told) -> None:
        """Note that a client was told an outcome."""
        self.told[told.outcome] += 1
        self._tally.tell(told.task_id)

    def note_nodes(self, nodes: Sequence[NodeView] | None) -> None:
        """Note what the hub says of its nodes, and hold it against what it said before: statistics only grow."""
        if nodes is None:
            return
        before = [node.figures for node in self._nodes.values()]
        problems = check_growth(before, [node.figures for node in nodes])
        self.statistics_problems += [problem for problem in problems if problem not in self.statistics_problems]
        self._nodes.update((node.figures.node_id, node) for node in nodes)

    def note_death(self, node: str, at: float) -> None:
        """Note that the process of a node is dead, and what it ran with it."""
        self.deaths.append(Death(node=node, at=at))
        self.read_truth()
        self._tally.bury(node)

    def await_connects(self, names: Iterable[str]) -> None:
        """Count these nodes as back only when they have connected once more than by now."""
        for name in names:
            if name in self._nodes:
                self._connects_awaited[name] = self._nodes[name].figures.connects + 1

    # --- what follows from it ---------------------------------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Give the seconds since the demo began."""
        return time.monotonic() - self._started_s

    def running(self) -> Counter[str]:
        """Give the number of runs under way, by node."""
        return self._tally.running()

    def ended(self) -> int:
        """Give the number of runs that came to their end."""
        return self._tally.ended.total()

    def is_back(self, name: str) -> bool:
        """Tell whether the hub sees a node, after all that was killed."""
        node = self._nodes.get(name)
        if node is None or self.hub != "up":
            return False
        return node.is_online and node.figures.connects >= self._connects_awaited.get(name, 1)

    def facts(self) -> Facts:
        """Give what the scenario decides by."""
        running = self.running()
        return Facts(
            phase=self.phase,
            in_phase_s=time.monotonic() - self._phase_since_s,
            tasks=self.tasks,
            told=self.told.total(),
            running=running.total(),
            victim_running=running[self.victim],
            nodes=len(self.fleet.nodes),
            nodes_online=sum(self.is_back(name) for name in self.fleet.nodes),
            hub_is_ready=self.hub == "up",
            victim_is_new=self.is_back(self.victim),
        )

    def evidence(self, customer: Customer) -> Evidence:
        """Give what the checker judges by."""
        self.read_truth()
        return Evidence(
            truth=self._truth.lines,
            accepted=customer.accepted,
            told=customer.told,
            deaths=self.deaths,
            unreadable_lines=self._truth.unreadable_lines,
        )

    def snapshot(self) -> Snapshot:
        """Give what is to be seen now."""
        running = self.running()
        waiting = self._tally.waiting()
        return Snapshot(
            elapsed_s=self.elapsed_s(),
            phase=self.phase,
            hub=self.hub,
            tasks=self.tasks,
            accepted=len(self.customer.accepted) if self.customer else 0,
            outcomes=dict(self.told),
            running=running.total(),
            waiting=waiting.total(),
            rates=tuple(self.rates),
            nodes=tuple(self._node_look(name, running[name], waiting[name]) for name in self.fleet.nodes),
            happenings=tuple(self._happenings),
            verdict=tuple(self.verdict),
        )

    def _node_look(self, name: str, running: int, waiting: int) -> NodeLook:
        return NodeLook(
            node_id=name,
            state=self._node_state(name),
            slots=self.fleet.slots,
            running=running,
            done=self._tally.ended[name],
            waiting=waiting,
            reconnects=max(0, self._nodes[name].figures.connects - 1) if name in self._nodes else 0,
        )

    def _node_state(self, name: str) -> NodeState:
        if not self.fleet.nodes[name].is_running:
            return "dead" if any(death.node == name for death in self.deaths) else "starting"
        if name not in self._nodes:
            return "starting"
        if self.hub != "up":
            return "alone"
        return "online" if self.is_back(name) else "away"
