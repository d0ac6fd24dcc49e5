"""After the last fault: everything must come to rest, agree with what happened, and be of use again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.store.tasks import TaskOptions
from node.decisions.link import Link
from protocol.frames import AttemptKey
from tests.simulation.facts import BrokenError
from tests.simulation.node_disk import Work
from tests.simulation.node_machine import NodeProcess
from tests.simulation.plan import ENDLESS_S

if TYPE_CHECKING:
    from tests.simulation.installation import Installation

# After the last fault everything must have come to rest by then. The longest lease (60 s and its margin) may run out
# twice, a crowd that the hub suspects waits for GONE_AFTER_S, a second process for a minute.
REST_WITHIN_S = 900.0
# After the last fault every node has its session by then: it notices a dead line (3 heartbeats of 10 s), waits for an
# answer to its greeting (30 s), and dials after the pause that a hub named for a second process (60 s and a fifth).
BACK_WITHIN_S = 150.0

# How often it is looked at whether all rests.
LOOK_EVERY_S = 2.0


class Rest:
    """The end of one seed."""

    def __init__(self, world: Installation) -> None:
        self._world = world
        self._stranded: set[str] = set()

    def _cancel_stranded(self) -> None:
        """Cancel what only a machine that is gone for good may run."""
        here = {machine.disk.node_id for machine in self._world.machines if not machine.is_gone}
        gone = {machine.disk.node_id for machine in self._world.machines} - here
        for task_id in self._world.truth.open_tasks if gone else ():
            target = self._world.truth.tasks[task_id].options.node or task_id.partition(".")[2]
            if target in gone and task_id not in self._stranded:
                self._stranded.add(task_id)
                self._world.clients.cancel(task_id)

    def come(self) -> None:
        """Go on until nothing is open any more."""
        mended_s = self._world.agenda.now_s
        while True:
            self._world.agenda.run_until(self._world.agenda.now_s + LOOK_EVERY_S)
            # A node that was told to drain leaves whenever it is done, and its supervisor starts it again.
            for machine in self._world.machines:
                self._world.start_node(machine)
            self._world.start_hub()
            self._cancel_stranded()
            passed_s = self._world.agenda.now_s - mended_s
            if passed_s > BACK_WITHIN_S:
                self._check_back()
            if self._is_at_rest():
                break
            if passed_s > REST_WITHIN_S:
                raise BrokenError("everything comes to rest", f"after {passed_s:.0f} s: {self._what_is_open()}")
        self._check_end()
        self._use_every_slot()

    def _check_back(self) -> None:
        for machine in self._world.machines:
            process = machine.process
            if not machine.is_gone and process is not None and not self._is_back(process):
                raise BrokenError("nodes are back in time", f"{process.name} has no session")

    def _is_back(self, process: NodeProcess) -> bool:
        """Whether both sides say that there is a session."""
        hub = self._world.find_hub()
        live = None if hub is None else hub.core.live(process.disk.node_id)
        return process.core.link is Link.OPEN and live is not None and not live.draining

    def _is_at_rest(self) -> bool:
        hub = self._world.find_hub()
        if hub is None or self._world.truth.open_tasks or self._world.clients.unanswered or self._world.truth.running:
            return False
        for machine in self._world.machines:
            process = machine.process
            if machine.is_gone or process is None:
                if hub.core.live(machine.disk.node_id) is not None and machine.disk.name == machine.disk.node_id:
                    return False
                continue
            inventory = process.core.inventory
            if not self._is_back(process) or inventory.running:
                return False
            # A restored store may give the same attempt to another node; such a result waits for the next connect.
            if inventory.results and not self._world.truth.forgot:
                return False
        return all(node.slots_in_use == 0 for node in hub.store.nodes())

    def _what_is_open(self) -> str:
        hub = self._world.find_hub()
        states = {task_id: self._state(task_id) for task_id in self._world.truth.open_tasks}
        held: dict[str, list[AttemptKey]] = {}
        for machine in self._world.machines:
            if machine.process is not None and machine.process.is_alive:
                inventory = machine.process.core.inventory
                held[machine.process.name] = [*inventory.running, *inventory.results]
        used = {} if hub is None else {node.id: node.slots_in_use for node in hub.store.nodes()}
        running = [run for runs in self._world.truth.running.values() for run in runs]
        return (
            f"tasks {states}, handlers {running}, pending {None if hub is None else hub.pending},"
            f" unanswered {self._world.clients.unanswered}, nodes hold {held}, slots in use {used}"
        )

    def _state(self, task_id: str) -> str | None:
        hub = self._world.find_hub()
        view = None if hub is None else hub.store.task(task_id)
        return None if view is None else str(view.state)

    def _check_end(self) -> None:
        hub = self._world.find_hub()
        if hub is None:
            raise BrokenError("everything comes to rest", "the hub does not run")
        self._world.truth.check_told()
        self._world.truth.check_states({task_id: self._state(task_id) for task_id in self._world.truth.tasks})
        nodes = hub.store.nodes()
        words = ("succeeded", "failed", "cancelled", "lost")
        self._world.truth.check_totals({word: sum(getattr(node, word) for node in nodes) for word in words})

    def _use_every_slot(self) -> None:
        """Fill every slot at once: a slot that the hub has lost sight of shows here."""
        slots = sum(machine.disk.slots for machine in self._world.machines if not machine.is_gone)
        task_ids = [f"last{number}" for number in range(slots)]
        self._world.clients.submit(task_ids, TaskOptions(lease_s=ENDLESS_S), Work(duration_s=60.0))
        until_s = self._world.agenda.now_s + 30.0
        while (running := sum(1 for task_id in task_ids if task_id in self._world.truth.running)) < slots:
            if self._world.agenda.now_s >= until_s:
                raise BrokenError("every slot is used", f"{running} of {slots} run")
            self._world.agenda.run_until(self._world.agenda.now_s + 1.0)
