"""The demo itself: puts the parts together, lets the scenario decide, and does what it decides."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from dashboards.demo.customer import Customer
from dashboards.demo.report import Report, make_report, verdict_lines
from dashboards.demo.scenario import Action, Phase, Step, next_step
from dashboards.demo.screen import Screen
from dashboards.demo.services import Services
from dashboards.demo.snapshot import Snapshot
from dashboards.demo.stage import RATE_EVERY_S, Stage
from dashboards.demo.surroundings import look_around
from dashboards.demo.workload import plan
from dashboards.installation.fleet import Fleet
from dashboards.installation.hub_view import ask_nodes
from dashboards.installation.judgement import Judgement, judge
from dashboards.installation.statistics import check_sums, figures_of
from moorline import Client

# Quicker than the eye, and cheap: one look at the facts, one question to the hub, one drawing.
DECIDE_EVERY_S = 0.03
OBSERVE_EVERY_S = 0.1
PAINT_EVERY_S = 0.1

# A cold start on a slow disk; it takes half a second on a warm one.
HUB_READY_WITHIN_S = 20.0
# Loopback answers in a millisecond; a hub that takes this long is as good as dead for a picture.
ASK_WITHIN_S = 1.0
# The last question to the hub decides about the statistics, so it gets more time than those for the picture.
LAST_QUESTION_WITHIN_S = 5.0
# Enough to begin the search with; the folder has the rest.
PROBLEMS_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """How large the demo is, and how long it may take."""

    tasks: int = 400
    seconds_max: float = 60.0
    nodes: int = 3
    slots: int = 4
    seed: int = 1


async def perform(settings: DemoSettings, folder: Path, screen: Screen) -> tuple[Report, Snapshot]:
    """Run the demo in a folder, show it, and give the report and the last picture.

    Everything that it started has ended then, also when it is cancelled or fails.

    Raises:
        ProcessDiedError: a hub or node ended by itself; ProcessTooSlowError: the hub did not become ready.
        ExceptionGroup: of these, or of what the client raised, once the work had begun.
    """
    async with Fleet(folder, ready_within_s=HUB_READY_WITHIN_S) as fleet, Services(folder) as services:
        ports = await services.start()
        for number in range(settings.nodes):
            fleet.add_node(f"node-{number + 1}", app="examples.diagnosis", slots=settings.slots)
        stage = Stage(fleet, tasks=settings.tasks, slots=settings.slots)
        screen.show(stage.snapshot())
        await fleet.start_hub()
        stage.hub = "up"
        for node in fleet.nodes.values():
            await node.start()
        stage.happen("a hub and nodes started, each a process of its own")
        around = await asyncio.to_thread(look_around, ports)
        async with Client(fleet.url) as client:
            customer = Customer(client, plan(settings.tasks, around, settings.seed), stage.note_told)
            performance = _Performance(stage, customer, client, screen)
            return await performance.play(settings.seconds_max)


class _Performance:
    """Carries out the steps of the scenario, and measures."""

    def __init__(self, stage: Stage, customer: Customer, client: Client, screen: Screen) -> None:
        self._stage = stage
        self._fleet = stage.fleet
        self._customer = stage.customer = customer
        self._client = client
        self._screen = screen
        self._hub_kills = self._node_kills = self._ended_at_kill = 0
        self._hub_killed_s = self._hub_ready_s = self._node_killed_s = 0.0
        self._nodes_back_s: float | None = None

    async def play(self, seconds_max: float) -> tuple[Report, Snapshot]:
        """Submit, kill, start again, wait, check."""
        try:
            async with asyncio.timeout(max(0.0, seconds_max - self._stage.elapsed_s())), asyncio.TaskGroup() as group:
                helpers = [group.create_task(helper()) for helper in (self._observe, self._repaint, self._count_rates)]
                await self._direct(group)
                for helper in helpers:
                    helper.cancel()
        except TimeoutError:
            self._stage.happen(f"out of time: {seconds_max:g} s are over", "bad")
        self._stage.enter(Phase.CHECKING)
        report = await self._judge()
        self._stage.verdict = verdict_lines(report)
        last = self._stage.snapshot()
        self._screen.show(last)
        return report, last

    async def _direct(self, group: asyncio.TaskGroup) -> None:
        """Let the scenario decide until it has no more to say. The work begins when all nodes are there."""
        stage = self._stage
        while stage.phase is not Phase.CHECKING:
            stage.read_truth()
            self._check_processes()
            step = next_step(stage.facts())
            if step is not None:
                if stage.phase is Phase.STARTING:
                    group.create_task(self._customer.run())
                await self._take(step)
            await asyncio.sleep(DECIDE_EVERY_S)

    async def _take(self, step: Step) -> None:
        match step.action:
            case Action.KILL_HUB:
                await self._kill_hub()
            case Action.START_HUB:
                # Starting takes a while, and is to be seen as what it is.
                self._stage.enter(step.phase)
                await self._start_hub()
            case Action.KILL_NODE:
                await self._kill_node()
            case Action.START_NODE:
                await self._fleet.nodes[self._stage.victim].start()
                self._stage.happen(f"{self._stage.victim} started again on its old state folder")
            case Action.NONE:
                self._note_return()
        self._stage.enter(step.phase)

    async def _kill_hub(self) -> None:
        # The last word on the statistics is from just before the kill.
        self._stage.note_nodes(await ask_nodes(self._client, ASK_WITHIN_S))
        running = self._stage.running().total()
        await self._fleet.hub.kill()
        self._hub_killed_s = time.monotonic()
        self._hub_kills += 1
        self._ended_at_kill = self._stage.ended()
        self._stage.hub = "dead"
        self._stage.await_connects(self._fleet.nodes)
        self._stage.happen(f"hub killed (SIGKILL) while {_tasks(running)} ran", "bad")

    async def _start_hub(self) -> None:
        self._stage.hub = "starting"
        await self._fleet.start_hub()
        self._hub_ready_s = time.monotonic()
        self._stage.hub = "up"
        away_s = self._hub_ready_s - self._hub_killed_s
        self._stage.read_truth()
        ended = self._stage.ended() - self._ended_at_kill
        self._stage.happen(f"hub back after {away_s:.1f} s; {_tasks(ended)} finished without it", "good")

    async def _kill_node(self) -> None:
        victim = self._stage.victim
        running = self._stage.running()[victim]
        dead_at = await self._fleet.nodes[victim].kill()
        self._node_killed_s = time.monotonic()
        self._node_kills += 1
        self._stage.note_death(victim, dead_at)
        self._stage.await_connects([victim])
        self._stage.happen(f"{victim} killed (SIGKILL) with {_tasks(running)} on it", "bad")

    def _note_return(self) -> None:
        count = len(self._fleet.nodes)
        now_s = time.monotonic()
        match self._stage.phase:
            case Phase.STARTING:
                self._stage.happen(f"{count}/{count} nodes online; the work begins", "good")
            case Phase.NODES_RETURNING:
                self._nodes_back_s = now_s - self._hub_ready_s
                self._stage.happen(f"{count}/{count} nodes back in {self._nodes_back_s:.1f} s, by themselves", "good")
            case Phase.NODE_RETURNING:
                away_s = now_s - self._node_killed_s
                self._stage.note_return(self._stage.victim)
                self._stage.happen(f"{self._stage.victim} back after {away_s:.1f} s; what it lost runs again", "good")
            case _:
                pass

    def _check_processes(self) -> None:
        """Make sure that only what was killed is dead."""
        if self._stage.hub == "up":
            self._fleet.hub.check_alive()
        for name, node in self._fleet.nodes.items():
            if not (self._stage.phase is Phase.NODE_DEAD and name == self._stage.victim):
                node.check_alive()

    async def _observe(self) -> None:
        while True:
            if self._stage.hub == "up":
                self._stage.note_nodes(await ask_nodes(self._client, ASK_WITHIN_S))
            await asyncio.sleep(OBSERVE_EVERY_S)

    async def _repaint(self) -> None:
        while True:
            self._screen.show(self._stage.snapshot())
            await asyncio.sleep(PAINT_EVERY_S)

    async def _count_rates(self) -> None:
        before = 0
        while True:
            await asyncio.sleep(RATE_EVERY_S)
            now = self._stage.told.total()
            self._stage.rates.append((now - before) / RATE_EVERY_S)
            before = now

    async def _judge(self) -> Report:
        nodes = await ask_nodes(self._client, LAST_QUESTION_WITHIN_S)
        self._stage.note_nodes(nodes)
        judgement = judge(self._stage.evidence(self._customer))
        problems = list(self._stage.statistics.problems)
        if nodes is None:
            problems.append("the hub did not say what its nodes' statistics are")
        else:
            problems += check_sums([figures_of(node) for node in nodes], judgement.outcomes)
        self._tell_problems(judgement, problems)
        return make_report(
            judgement,
            hub_kills=self._hub_kills,
            node_kills=self._node_kills,
            nodes_back_s=self._nodes_back_s,
            statistics_problems=problems,
            seconds=self._stage.elapsed_s(),
        )

    def _tell_problems(self, judgement: Judgement, statistics_problems: list[str]) -> None:
        sentences = [*(finding.sentence for finding in judgement.findings), *statistics_problems]
        for sentence in sentences[:PROBLEMS_SHOWN_MAX]:
            self._stage.happen(sentence, "bad")
        if len(sentences) > PROBLEMS_SHOWN_MAX:
            self._stage.happen(f"and {len(sentences) - PROBLEMS_SHOWN_MAX} more", "bad")


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
