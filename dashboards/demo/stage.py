"""All that is known while the demo runs, from three sides: the truth file, the hub's API, and the client."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from dashboards.demo.customer import LEASE_S, Customer
from dashboards.demo.scenario import Facts, Phase
from dashboards.demo.snapshot import Happening, HubState, NodeLook, NodeState, Snapshot, Tone
from dashboards.demo.tally import Tally
from dashboards.installation.clients import Told
from dashboards.installation.fleet import Fleet
from dashboards.installation.judgement import Evidence
from dashboards.installation.outages import Outage
from dashboards.installation.statistics import Statistics
from dashboards.installation.truth_file import TruthFile
from moorline.views import NodeView

RATE_EVERY_S = 0.5


class Stage:
    """Takes note, and gives facts to decide by and snapshots to draw. One event loop, so no locks."""

    def __init__(self, fleet: Fleet, *, tasks: int, slots: int) -> None:
        self.fleet = fleet
        self.slots = slots
        self.tasks = tasks
        self.phase = Phase.STARTING
        self.hub: HubState = "starting"
        self.outages: list[Outage] = []
        self.statistics = Statistics()
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
        self.statistics.note(nodes)
        self._nodes.update((node.id, node) for node in nodes)

    def note_death(self, node: str, at: float) -> None:
        """Note that the process of a node is dead, and what it ran with it."""
        self.outages.append(Outage(node=node, kind="node_killed", began_at=at, dead_at=at))
        self.read_truth()
        self._tally.bury(node)

    def note_return(self, node: str) -> None:
        """Note that the hub sees a node again that was dead."""
        now_at = time.time()
        for outage in self.outages:
            if outage.node == node and outage.recovered_at is None:
                outage.mended_at = outage.recovered_at = now_at

    def await_connects(self, names: Iterable[str]) -> None:
        """Count these nodes as back only when they have connected once more than by now."""
        for name in names:
            if name in self._nodes:
                self._connects_awaited[name] = self._nodes[name].connects + 1

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
        return node.state == "online" and node.connects >= self._connects_awaited.get(name, 1)

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
        """Give what the judge sorts by."""
        self.read_truth()
        return Evidence(
            submitted=customer.submitted,
            told=customer.told,
            truth=self._truth.lines,
            outages=self.outages,
            lease_s=LEASE_S,
            now_at=time.time(),
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
            accepted=len(self.customer.submitted) if self.customer else 0,
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
            slots=self.slots,
            running=running,
            done=self._tally.ended[name],
            waiting=waiting,
            reconnects=max(0, self._nodes[name].connects - 1) if name in self._nodes else 0,
        )

    def _node_state(self, name: str) -> NodeState:
        if not self.fleet.nodes[name].is_running:
            return "dead" if any(outage.node == name for outage in self.outages) else "starting"
        if name not in self._nodes:
            return "starting"
        if self.hub != "up":
            return "alone"
        return "online" if self.is_back(name) else "away"
