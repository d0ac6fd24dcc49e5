"""Which node can serve which tasks, and who gets the next one."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Literal, TypeAlias

from hub.store.assignments import NodeProfile, Offer
from hub.store.tasks import TaskClass

Reason: TypeAlias = Literal[
    "can_run",
    "running_here",
    "busy",
    "labels",
    "handler_unknown",
    "draining",
    "cordoned",
    "unreachable",
    "not_target",
    "concurrency_key",
    "backlog",
    "not_due",
    "finished",
]


def misfit(profile: NodeProfile, wanted: TaskClass) -> tuple[Reason, str] | None:
    """Say why this node can never serve this class as it is now registered, or None if it can."""
    if wanted.target and wanted.target != profile.node_id:
        return "not_target", f"only node {wanted.target} may run it"
    if wanted.name not in profile.handlers:
        return "handler_unknown", f"has no handler named {wanted.name}"
    for label, value in wanted.requires:
        has = profile.labels.get(label)
        if has != value:
            return (
                "labels",
                f"requires {label}={value}, has {f'{label}={has}' if has is not None else f'no {label}'}",
            )
    return None


def can_serve(profile: NodeProfile, wanted: TaskClass) -> bool:
    """Tell whether this node can serve this class: `misfit` without the words."""
    if wanted.name not in profile.handlers:
        return False
    if wanted.target and wanted.target != profile.node_id:
        return False
    labels = profile.labels
    return all(labels.get(label) == value for label, value in wanted.requires)


# --- free slots ------------------------------------------------------------------------------------------------------

# Classes whose nodes are remembered. There are few; past this the least recently used is found again by one look at all
# nodes (1 us each).
CLASSES_REMEMBERED_MAX = 512


class _Slots:
    """One instance's free slots."""

    __slots__ = ("bytes_max", "free", "instance_id", "profile")

    def __init__(self, profile: NodeProfile, instance_id: str, free: int, bytes_max: int) -> None:
        self.profile = profile
        self.instance_id = instance_id
        self.free = free
        self.bytes_max = bytes_max


class SlotPool:
    """The free slots of all nodes with a live session, found by class in constant time.

    A slot is taken for an operation before it goes to the store and given back if it comes home unused, so that no slot
    is offered twice. Nodes of a class take turns, one slot each.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, _Slots] = {}
        # Nodes that may have a free slot, in turn, by class; a node without one drops out when its turn comes.
        self._turns: OrderedDict[TaskClass, deque[str]] = OrderedDict()
        self._in_turn: dict[TaskClass, set[str]] = {}
        self._all: deque[str] = deque()
        self._in_all: set[str] = set()

    def __len__(self) -> int:
        return len(self._nodes)

    def open(self, profile: NodeProfile, instance_id: str, free: int, bytes_max: int) -> None:
        """Begin to offer a node's slots. ``bytes_max``: what one offer may be filled with, in bytes of payloads."""
        self._nodes[profile.node_id] = _Slots(profile, instance_id, 0, bytes_max)
        self.give(profile.node_id, free)

    def close(self, node_id: str) -> None:
        """Offer this node no more; twice is harmless."""
        self._nodes.pop(node_id, None)

    def free(self, node_id: str) -> int:
        """Give how many slots of this node are free and not put aside; may be below 0 where a hub knew less before."""
        slots = self._nodes.get(node_id)
        return slots.free if slots is not None else 0

    def give(self, node_id: str, count: int) -> None:
        """Give slots back, or take them away where ``count`` is negative."""
        slots = self._nodes.get(node_id)
        if slots is None:
            return
        slots.free += count
        if slots.free <= 0:
            return
        if node_id not in self._in_all:
            self._in_all.add(node_id)
            self._all.append(node_id)
        for wanted, members in self._in_turn.items():
            if node_id not in members and can_serve(slots.profile, wanted):
                members.add(node_id)
                self._turns[wanted].append(node_id)

    def take(self, wanted: TaskClass, count: int) -> list[Offer]:
        """Put up to ``count`` slots aside that can serve this class."""
        if wanted.target:
            slots = self._nodes.get(wanted.target)
            if slots is None or slots.free <= 0 or not can_serve(slots.profile, wanted):
                return []
            return self._offers({wanted.target: min(count, slots.free)})
        turns = self._turns_of(wanted)
        return self._take_in_turn(wanted, turns, self._in_turn[wanted], count)

    def take_any(self, nodes: int) -> list[Offer]:
        """Put all free slots of up to ``nodes`` nodes aside, the same ones not again before the others had their
        turn.
        """
        taken: dict[str, int] = {}
        for _ in range(len(self._all)):
            if len(taken) == nodes:
                break
            node_id = self._all.popleft()
            slots = self._nodes.get(node_id)
            if slots is None or slots.free <= 0:
                self._in_all.discard(node_id)
                continue
            taken[node_id] = slots.free
            self._all.append(node_id)
        return self._offers(taken)

    def take_node(self, node_id: str, count: int) -> list[Offer]:
        """Put up to ``count`` slots of this node aside."""
        slots = self._nodes.get(node_id)
        if slots is None or slots.free <= 0 or count <= 0:
            return []
        return self._offers({node_id: min(count, slots.free)})

    def _turns_of(self, wanted: TaskClass) -> deque[str]:
        turns = self._turns.get(wanted)
        if turns is not None:
            self._turns.move_to_end(wanted)
            return turns
        if len(self._turns) >= CLASSES_REMEMBERED_MAX:
            forgotten, _ = self._turns.popitem(last=False)
            del self._in_turn[forgotten]
        members = [
            node_id for node_id, slots in self._nodes.items() if slots.free > 0 and can_serve(slots.profile, wanted)
        ]
        self._in_turn[wanted] = set(members)
        turns = self._turns[wanted] = deque(members)
        return turns

    def _take_in_turn(self, wanted: TaskClass, turns: deque[str], members: set[str], count: int) -> list[Offer]:
        taken: dict[str, int] = {}
        while count > 0 and turns:
            node_id = turns.popleft()
            slots = self._nodes.get(node_id)
            left = 0 if slots is None else slots.free - taken.get(node_id, 0)
            if slots is None or left <= 0 or not can_serve(slots.profile, wanted):
                members.discard(node_id)
                continue
            # Alone, a node takes all at once; among others, one slot a turn.
            share = 1 if turns else min(left, count)
            taken[node_id] = taken.get(node_id, 0) + share
            count -= share
            turns.append(node_id)
        return self._offers(taken)

    def _offers(self, taken: dict[str, int]) -> list[Offer]:
        offers = []
        for node_id, count in taken.items():
            slots = self._nodes[node_id]
            slots.free -= count
            offers.append(
                Offer(profile=slots.profile, instance_id=slots.instance_id, free=count, bytes_max=slots.bytes_max)
            )
        return offers
