"""What goes wrong, done to an installation: one function for each fault that a plan can name."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hub.store.sqlite.store import SqliteStore
from tests.simulation.installation import Installation, Machine
from tests.simulation.plan import Fault

# How soon somebody starts a node again that ended or was killed.
RESTARTED_WITHIN_S = 8.0


def strike(installation: Installation) -> None:
    """Put all faults of a plan on the agenda, in their order."""
    luck = installation.luck("faults")
    for fault in installation.plan.faults:
        act = _FAULTS[fault.what]
        installation.agenda.at(
            installation.agenda.now_s + fault.at_s, partial(_strike, installation, fault, act, luck.random())
        )


def _strike(
    installation: Installation, fault: Fault, act: Callable[[Installation, Fault, float], None], chance: float
) -> None:
    # What comes due after the mending comes too late.
    if not installation.is_resting:
        installation.trace.note("world", f"FAULT {fault.what}: node {fault.node}, {fault.seconds:.1f} s")
        act(installation, fault, chance)


# --- the hub ----------------------------------------------------------------------------------------------------------


def _hub_killed(world: Installation, fault: Fault, chance: float) -> None:
    """Kill it at once."""
    hub = world.find_hub()
    if hub is not None:
        world.trace.note(hub.name, "KILLED")
        hub.die()
    world.agenda.after(fault.seconds, world.start_hub)


def _hub_killed_soon(world: Installation, fault: Fault, chance: float) -> None:
    """Kill it between two of its next steps, and again in its next life for some."""
    hub = world.find_hub()
    if hub is None:
        return
    hub.kill_after(fault.steps)
    _restart_hub_when_dead(world, fault.seconds)


def _restart_hub_when_dead(world: Installation, seconds: float) -> None:
    if world.find_hub() is None:
        world.agenda.after(seconds, world.start_hub)
    elif not world.is_resting:
        world.agenda.after(0.5, partial(_restart_hub_when_dead, world, seconds))


def _hub_stopped(world: Installation, fault: Fault, chance: float) -> None:
    """Have it end in good order."""
    hub = world.find_hub()
    if hub is not None:
        hub.run(hub.stop)
        _restart_hub_when_dead(world, fault.seconds)


def _hub_still(world: Installation, fault: Fault, chance: float) -> None:
    hub = world.find_hub()
    if hub is not None:
        hub.stand_still(fault.seconds)


def _hub_disk_full(world: Installation, fault: Fault, chance: float) -> None:
    world.disk.full_until_s = world.agenda.now_s + fault.seconds


def _wall_jump(world: Installation, fault: Fault, chance: float) -> None:
    """Somebody sets the hub's wall clock, and sets it back later."""
    world.disk.wall_ahead_s = 86_400 * (2 * chance - 1)
    world.agenda.after(fault.seconds, lambda: setattr(world.disk, "wall_ahead_s", 0.0))


# --- links ------------------------------------------------------------------------------------------------------------


def _cut(world: Installation, fault: Fault, chance: float) -> None:
    """Break a node's newest line; one end may not notice."""
    for line in world.network.of_node(_machine(world, fault).disk.node_id)[-1:]:
        line.cut(node_sees=chance < 0.7, hub_sees=chance > 0.3)


def _half_open(world: Installation, fault: Fault, chance: float) -> None:
    """Swallow one direction of a node's newest line."""
    for line in world.network.of_node(_machine(world, fault).disk.node_id)[-1:]:
        (line.to_hub if chance < 0.5 else line.to_node).is_dead = True


def _block(world: Installation, fault: Fault, chance: float) -> None:
    """Part a node from the hub for a while."""
    node_id = _machine(world, fault).disk.node_id
    world.network.block(node_id, fault.seconds)
    _cut(world, fault, chance)


def _slow(world: Installation, fault: Fault, chance: float) -> None:
    """Delay what a node sends and is sent, for some beyond all patience."""
    world.network.slow(_machine(world, fault).disk.node_id, fault.seconds, 6.0 if chance < 0.5 else 45.0)


def _disconnect(world: Installation, fault: Fault, chance: float) -> None:
    """An operator closes the node's connection."""
    hub = world.find_hub()
    if hub is not None:
        hub.run(lambda: hub.disconnect(_machine(world, fault).disk.node_id))


# --- nodes ------------------------------------------------------------------------------------------------------------


def _machine(world: Installation, fault: Fault) -> Machine:
    return world.machines[fault.node]


def _restart_node_when_dead(world: Installation, machine: Machine, seconds: float) -> None:
    if machine.process is None or not machine.process.is_alive:
        world.agenda.after(seconds, lambda: world.start_node(machine))
    elif not world.is_resting:
        world.agenda.after(0.5, partial(_restart_node_when_dead, world, machine, seconds))


def _node_killed(world: Installation, fault: Fault, chance: float) -> None:
    machine = _machine(world, fault)
    if machine.process is not None:
        machine.process.die()
    world.agenda.after(fault.seconds, lambda: world.start_node(machine))


def _node_killed_soon(world: Installation, fault: Fault, chance: float) -> None:
    """Kill it between two of its next steps."""
    machine = _machine(world, fault)
    if machine.process is not None and machine.process.is_alive:
        machine.process.kill_after(fault.steps)
        _restart_node_when_dead(world, machine, fault.seconds)


def _node_restarted(world: Installation, fault: Fault, chance: float) -> None:
    """Kill it and start it at once, so that its next instance may be there before the hub sees the end of the last."""
    machine = _machine(world, fault)
    if machine.process is not None:
        machine.process.die()
    world.agenda.after(chance * 0.2, lambda: world.start_node(machine))


def _node_still(world: Installation, fault: Fault, chance: float) -> None:
    machine = _machine(world, fault)
    if machine.process is not None and machine.process.is_alive:
        machine.process.stand_still(fault.seconds)


def _node_drained(world: Installation, fault: Fault, chance: float) -> None:
    _end_node(world, fault, stop_handlers=False)


def _node_terminated(world: Installation, fault: Fault, chance: float) -> None:
    _end_node(world, fault, stop_handlers=True)


def _node_left_slowly(world: Installation, fault: Fault, chance: float) -> None:
    """Have a node end on a link so slow that its next process is there before its farewell."""
    world.network.slow(_machine(world, fault).disk.node_id, 15.0, 45.0)
    world.agenda.after(16.0, lambda: world.network.slow(_machine(world, fault).disk.node_id, 0.0, 1.0))
    _end_node(world, fault, stop_handlers=True)


def _end_node(world: Installation, fault: Fault, *, stop_handlers: bool) -> None:
    machine = _machine(world, fault)
    process = machine.process
    if process is not None and process.is_alive:
        process.run(lambda: process.drain(stop_handlers=stop_handlers))
        _restart_node_when_dead(world, machine, min(fault.seconds, RESTARTED_WITHIN_S))


def _node_disk_full(world: Installation, fault: Fault, chance: float) -> None:
    _machine(world, fault).disk.full_until_s = world.agenda.now_s + fault.seconds


def _node_gone(world: Installation, fault: Fault, chance: float) -> None:
    """A machine burns down, unless it is the last but one."""
    if sum(not machine.is_gone for machine in world.machines) > 2:
        world.remove(_machine(world, fault))


def _cordon(world: Installation, fault: Fault, chance: float) -> None:
    world.clients.wish(_machine(world, fault).disk.node_id, cordoned=True, is_urgent=False)


def _drain_wish(world: Installation, fault: Fault, chance: float) -> None:
    machine = _machine(world, fault)
    world.clients.wish(machine.disk.node_id, draining=True, is_urgent=False)
    _restart_node_when_dead(world, machine, min(fault.seconds, RESTARTED_WITHIN_S))


def _twin(world: Installation, fault: Fault, chance: float) -> None:
    world.add_twin(fault.node)


# --- the hub's disk ---------------------------------------------------------------------------------------------------


def _backup(world: Installation, fault: Fault, chance: float) -> None:
    """Take a backup, as `sqlite3 hub.db ".backup …"` does."""
    with (
        contextlib.closing(sqlite3.connect(world.disk.path)) as source,
        contextlib.closing(sqlite3.connect(_backup_path(world))) as target,
    ):
        source.backup(target)


def _restore(world: Installation, fault: Fault, chance: float) -> None:
    """Kill the hub, put the backup in place (or, for some, nothing at all), and accept that commits are lost."""
    hub = world.find_hub()
    if hub is not None:
        hub.die()
    path = world.disk.path
    for suffix in ("", "-wal", "-shm", "-mark"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if chance < 0.8:
        _backup_path(world).replace(path)
    _forget(world)
    world.forget_totals()
    world.agenda.after(fault.seconds, world.start_hub)


def _backup_path(world: Installation) -> Path:
    return world.disk.path.with_name("backup.db")


def _forget(world: Installation) -> None:
    """Tell the truth what the store in place now knows."""
    with contextlib.closing(SqliteStore.open_beside(world.disk.path)) as store:
        views = {task_id: store.task(task_id) for task_id in world.truth.tasks}
        states = {task_id: str(view.state) for task_id, view in views.items() if view is not None}
        world.truth.forget(store.stats().last_event_id, states)


_FAULTS: dict[str, Callable[[Installation, Fault, float], None]] = {
    "hub_killed": _hub_killed,
    "hub_killed_soon": _hub_killed_soon,
    "hub_stopped": _hub_stopped,
    "hub_still": _hub_still,
    "hub_disk_full": _hub_disk_full,
    "wall_jump": _wall_jump,
    "cut": _cut,
    "half_open": _half_open,
    "block": _block,
    "slow": _slow,
    "disconnect": _disconnect,
    "node_killed": _node_killed,
    "node_killed_soon": _node_killed_soon,
    "node_restarted": _node_restarted,
    "node_still": _node_still,
    "node_drained": _node_drained,
    "node_terminated": _node_terminated,
    "node_left_slowly": _node_left_slowly,
    "node_disk_full": _node_disk_full,
    "node_gone": _node_gone,
    "cordon": _cordon,
    "drain_wish": _drain_wish,
    "twin": _twin,
    "backup": _backup,
    "restore": _restore,
}
