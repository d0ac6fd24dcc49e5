"""One path: every connect is a reconcile. What the node says it holds is held against the store; the difference
decides.

This is the table of docs/explanation/guarantees.md as a function. There is no replay and there are no sequence numbers:
a restart of the hub, a disconnect, a move to another hub and a restored backup all come through here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from hub.decisions.settlement import lose
from hub.store.attempts import Change, TaskRow
from protocol.frames import AttemptKey, Inventory


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What the node is told (``keep``, ``stop``, ``forget``, ``cancel``), what is pushed to it again, and what changes
    in the store. ``held`` is what the node holds afterwards by the store's word; ``unknown`` what the store never heard
    of.
    """

    keep: list[AttemptKey]
    stop: list[AttemptKey]
    forget: list[AttemptKey]
    cancel: list[AttemptKey]
    push: list[AttemptKey]
    held: list[AttemptKey]
    unknown: list[AttemptKey]
    changes: list[Change]


def reconcile(
    held: Iterable[TaskRow],
    named: Mapping[str, TaskRow],
    inventory: Inventory,
    instance_id: str,
    predecessors: Collection[str],
) -> Reconciliation:
    """Hold a complete inventory against the store.

    Args:
        held: every row that the store says this node holds, whatever the instance.
        named: rows by task id for what the inventory names; an id that is missing is unknown to the store.
        inventory: all that the node has.
        instance_id: the instance that speaks.
        predecessors: instances of this node that are provably dead.
    """
    found = Reconciliation(keep=[], stop=[], forget=[], cancel=[], push=[], held=[], unknown=[], changes=[])
    running = set(inventory.running)
    results = set(inventory.results)
    judged: set[AttemptKey] = set()
    for row in held:
        judged.add(row.key)
        if row.key in results:
            found.keep.append(row.key)
            found.held.append(row.key)
        elif row.key in running:
            (found.keep if row.state is TaskState.RUNNING else found.cancel).append(row.key)
            found.held.append(row.key)
        else:
            _judge_missing(found, row, instance_id, predecessors)
    for key in inventory.running:
        if key not in judged:
            _judge_extra(found, key, named.get(key[0]), found.stop)
    for key in inventory.results:
        if key not in judged:
            _judge_extra(found, key, named.get(key[0]), found.forget)
    return found


def _judge_missing(found: Reconciliation, row: TaskRow, instance_id: str, predecessors: Collection[str]) -> None:
    """The store says that the node holds it, and the node does not have it."""
    if row.instance_id == instance_id:
        if row.state is TaskState.RUNNING:
            # The push never arrived: the same attempt again.
            found.push.append(row.key)
            found.held.append(row.key)
        else:
            found.changes.extend(filter(None, [lose(row, "cancelled before it arrived")]))
    elif row.instance_id in predecessors:
        found.changes.extend(filter(None, [lose(row, f"instance {row.instance_id} is dead")]))
    # Else an earlier instance held it and nobody can prove that it is dead: its lease decides.


def _judge_extra(found: Reconciliation, key: AttemptKey, row: TaskRow | None, refuse: list[AttemptKey]) -> None:
    """The node has it, and the store does not say so."""
    if row is None or key[1] > row.attempt:
        # Never kill work because our memory is short; its result goes into quarantine.
        found.keep.append(key)
        found.unknown.append(key)
    else:
        refuse.append(key)


def judge_kept(
    key: AttemptKey, row: TaskRow | None, node_id: str, instance_id: str
) -> Change | Literal["push", "gone"]:
    """Decide about an attempt that waited until there was room to push it: the cell of what a node does not have once
    more, with the row as it is by then. Give a `Change` where it was cancelled meanwhile.

    Args:
        key: the attempt. The instance lacks it, and nothing was said to it about that.
        row: its task, None if the store knows it no more.
        node_id: the node that it was assigned to.
        instance_id: the instance that it was assigned to.
    """
    if row is None or row.key != key or not row.held or (row.node_id, row.instance_id) != (node_id, instance_id):
        return "gone"
    if row.state is TaskState.RUNNING:
        return "push"
    return lose(row, "cancelled before it arrived") or "gone"
