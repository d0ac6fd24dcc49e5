"""One seed from its beginning to its rest: a hub, its nodes, its clients, what goes wrong, and what must hold after."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hub.decisions.core_state import CoreSettings
from hub.decisions.intake import IntakeBounds
from hub.store.sqlite.store import SqliteStore
from node.decisions.core import NodeCore
from tests.simulation.agenda import Agenda, Trace
from tests.simulation.clients import Clients, any_options, any_work
from tests.simulation.facts import BrokenError
from tests.simulation.hub_machine import HubDisk, HubProcess, Parts
from tests.simulation.network import Network
from tests.simulation.node_disk import NodeDisk, Work
from tests.simulation.node_machine import NodeProcess
from tests.simulation.plan import Plan
from tests.simulation.rest import Rest
from tests.simulation.truth import Truth

# A crowd that the hub suspects is looked at again after this.
GONE_AFTER_S = 200.0

# How often what can be seen from outside is looked at.
LOOK_EVERY_S = 2.0


class Kit:
    """What hub and nodes are made of; a broken rule replaces some of it."""

    hub_parts: type[Parts] = Parts
    hub_process: type[HubProcess] = HubProcess
    node_core: type[NodeCore] = NodeCore


class Machine:
    """A node's machine: its disk, and the process that runs now, if any."""

    def __init__(self, disk: NodeDisk) -> None:
        self.disk = disk
        self.process: NodeProcess | None = None
        self.is_gone = False


class Installation:
    """Everything that a seed needs.

    Args:
        plan: the seed, written out.
        folder: an empty folder for the hub's database, in memory if possible.
        kit: what hub and nodes are made of.
        is_traced: keep what happens, a line each.
    """

    def __init__(self, plan: Plan, folder: Path, kit: type[Kit] = Kit, *, is_traced: bool = False) -> None:
        self.plan = plan
        self._kit = kit
        self.agenda = Agenda()
        self.agenda.now_s = 1_000_000.0
        self.trace = Trace(self.agenda, is_kept=is_traced)
        self.truth = Truth(self.agenda, is_gentle=plan.is_gentle)
        self.network = Network(self.agenda, self.trace, self.luck("network"))
        self.disk = HubDisk(folder / "hub.db")
        self.hub: HubProcess | None = None
        self._hub_starts = 0
        self.is_resting = False
        self.clients = Clients(self.find_hub, self.truth, self.agenda, self.trace, self.luck("clients"))
        self.machines = [self._machine(f"n{number}", f"n{number}", slots) for number, slots in enumerate(plan.slots)]
        self._totals: dict[tuple[str, str], float] = {}
        self._began_s = self.agenda.now_s

    def luck(self, name: str) -> random.Random:
        """Give a source of chance of its own, so that one part's use of it does not move another's."""
        return random.Random(f"{self.plan.seed}/{name}")

    def _machine(self, name: str, node_id: str, slots: int) -> Machine:
        luck = self.luck(f"clock {name}")
        disk = NodeDisk(
            name=name,
            node_id=node_id,
            slots=slots,
            clock_ahead_s=luck.uniform(-900_000, 900_000),
            # A hundred times what a quartz drifts.
            clock_rate=luck.uniform(0.998, 1.002),
            write_s=luck.choice((0.005, 0.005, 2.0)),
            repeats=luck.random() < 0.15,
        )
        return Machine(disk)

    # --- processes ----------------------------------------------------------------------------------------------------

    def find_hub(self) -> HubProcess | None:
        """Give the hub's process, if it lives."""
        return self.hub if self.hub is not None and self.hub.is_alive else None

    def start_hub(self) -> None:
        """Start the hub unless it runs."""
        if self.find_hub() is not None:
            return
        self._hub_starts += 1
        name = f"hub.{self._hub_starts}"
        settings = CoreSettings(
            hub_id="hub",
            heartbeat_s=self.plan.heartbeat_s,
            admissions_per_s=self.plan.admissions_per_s,
            gone_after_s=GONE_AFTER_S,
            backlog_bytes_max=self.plan.backlog_bytes_max,
            intake=IntakeBounds(node_bytes_max=self.plan.intake_bytes_max),
        )
        self.trace.note("world", f"{name} starts")
        self.hub = self._kit.hub_process(
            name, self.disk, self.truth, settings, self.agenda, self.trace, self.luck(name), self._kit.hub_parts
        )
        self.hub.run(self.hub.begin)

    def start_node(self, machine: Machine) -> None:
        """Start the node of a machine unless it runs, or the machine is gone for good."""
        if machine.is_gone or (machine.process is not None and machine.process.is_alive):
            return
        process = machine.process = NodeProcess(
            machine.disk,
            self.truth,
            self.network,
            self.find_hub,
            self.work_of,
            self.agenda,
            self.trace,
            self.luck(f"{machine.disk.name}.{machine.disk.starts + 1}"),
            self._kit.node_core,
        )
        self.trace.note("world", f"{process.name} starts")
        process.run(process.begin)

    def add_twin(self, number: int) -> None:
        """Start a second process for a node id, on a machine of its own."""
        original = self.machines[number].disk
        twin = self._machine(f"{original.node_id}-twin{len(self.machines)}", original.node_id, original.slots)
        self.machines.append(twin)
        self.start_node(twin)

    def remove(self, machine: Machine) -> None:
        """Take a machine away for good, with its disk."""
        machine.is_gone = True
        if machine.process is not None:
            machine.process.die()
        self.trace.note("world", f"{machine.disk.name} is gone for good")
        self.truth.lose_disk(list(machine.disk.outbox))

    def work_of(self, task_id: str) -> Work:
        """Say what a task's handler does."""
        return self.clients.work[task_id]

    # --- the run ------------------------------------------------------------------------------------------------------

    def run(self, strike: Callable[[Installation], None]) -> None:
        """Run the seed. ``strike`` plans what goes wrong.

        Raises:
            BrokenError: a promise is broken.
        """
        try:
            self.start_hub()
            for machine in self.machines:
                self.start_node(machine)
            self._plan_acts()
            strike(self)
            self._look()
            self.agenda.run_until(self._began_s + self.plan.faults_s)
            self._mend()
            Rest(self).come()
        finally:
            if self.hub is not None:
                self.hub.is_alive = False
                self.hub.store.close()

    def _plan_acts(self) -> None:
        """Plan what clients do."""
        luck = self.luck("acts")
        node_ids = [machine.disk.node_id for machine in self.machines]
        for _ in range(self.plan.acts):
            at_s = self._began_s + luck.uniform(0, self.plan.faults_s * 0.9)
            chance = luck.random()
            if chance < 0.75:
                options = any_options(luck, node_ids, self.plan.leases_s, at_s)
                work = any_work(luck, is_long=self.plan.is_long)
                self.agenda.at(at_s, lambda options=options, work=work: self.clients.submit_something(options, work))  # type: ignore[misc]
            elif chance < 0.9:
                self.agenda.at(at_s, self.clients.cancel_something)
            elif chance < 0.96:
                self.agenda.at(at_s, self.clients.revive_something)
            else:
                options = any_options(luck, node_ids, self.plan.leases_s, at_s)
                work = any_work(luck, is_long=self.plan.is_long)
                group = f"all{at_s * 1000:.0f}"
                self.agenda.at(
                    at_s,
                    lambda group=group, options=options, work=work: self.clients.broadcast(
                        group, node_ids, options, work
                    ),  # type: ignore[misc]
                )

    def _look(self) -> None:
        """Look at what can be seen from outside, again and again."""
        self.truth.check_overlaps()
        hub = self.find_hub()
        if hub is not None:
            self._check_growth(hub.store)
        self.agenda.after(LOOK_EVERY_S, self._look)

    def _check_growth(self, store: SqliteStore) -> None:
        for node in store.nodes():
            for word in ("succeeded", "failed", "cancelled", "lost", "run_s"):
                before = self._totals.get((node.id, word), 0)
                total = getattr(node, word)
                if total < before:
                    raise BrokenError("totals only grow", f"{word} of {node.id} went from {before} to {total}")
                self._totals[node.id, word] = total

    def forget_totals(self) -> None:
        """An older store was put in place: its totals are what they were."""
        self._totals.clear()

    # --- coming to rest -----------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        """End every fault."""
        self.trace.note("world", "everything is mended")
        self.is_resting = True
        self.network.heal()
        self.disk.full_until_s = 0.0
        self.disk.wall_ahead_s = 0.0
        if self.hub is not None:
            self.hub.mend()
        self.start_hub()
        for machine in self.machines:
            machine.disk.full_until_s = 0.0
            if machine.disk.name != machine.disk.node_id:
                self.remove(machine)
            elif machine.process is not None:
                machine.process.mend()
            self.start_node(machine)
            # Behind whatever an operator wished a moment ago.
            wish = partial(self.clients.wish, machine.disk.node_id, cordoned=False, draining=False)
            self.agenda.after(1.0, wish)
