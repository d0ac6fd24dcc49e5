"""Which node can serve which tasks, who gets the next one, and why a task is not running."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from hub.decisions.lifecycle import FINAL, TaskState
from hub.decisions.suggestions import nearest
from hub.store.assignments import NodeProfile, Offer
from hub.store.node_views import NodeView
from hub.store.task_views import QueuePlace, TaskView
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

    __slots__ = ("free", "instance_id", "profile")

    def __init__(self, profile: NodeProfile, instance_id: str, free: int) -> None:
        self.profile = profile
        self.instance_id = instance_id
        self.free = free


class SlotPool:
    """The free slots of all nodes with a live session, found by class in constant time.

    A slot is taken for an operation before it goes to the store and given back if it comes home unused, so that no slot
    is offered twice. Nodes of a class take turns, one slot each.

    Args:
        bytes_max: what one offer may be filled with, in bytes of payloads.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._nodes: dict[str, _Slots] = {}
        # Nodes that may have a free slot, in turn, by class; a node without one drops out when its turn comes.
        self._turns: OrderedDict[TaskClass, deque[str]] = OrderedDict()
        self._in_turn: dict[TaskClass, set[str]] = {}
        self._all: deque[str] = deque()
        self._in_all: set[str] = set()

    def __len__(self) -> int:
        return len(self._nodes)

    def open(self, profile: NodeProfile, instance_id: str, free: int) -> None:
        """Begin to offer a node's slots."""
        self._nodes[profile.node_id] = _Slots(profile, instance_id, 0)
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
                Offer(profile=slots.profile, instance_id=slots.instance_id, free=count, bytes_max=self._bytes_max)
            )
        return offers


# --- explaining -----------------------------------------------------------------------------------------------------


class NodeReason(Struct, frozen=True, kw_only=True):
    """Why one node does not run the task now, in one word and one sentence."""

    node_id: str
    reason: Reason
    detail: str


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a task is where it is: a sentence, its place in the queue, and a reason for each node."""

    task_id: str
    state: TaskState
    summary: str
    position: int | None
    nodes: list[NodeReason]


def explain(place: QueuePlace, nodes: Iterable[NodeView], wall_s: float) -> Explanation:
    """Say why a task is not running, for each node that is not gone."""
    known = [node for node in nodes if node.state != "gone"]
    reasons = [_node_reason(place, node, wall_s) for node in known]
    return Explanation(
        task_id=place.view.id,
        state=place.view.state,
        summary=_summary(place, known, reasons, wall_s),
        position=place.position,
        nodes=reasons,
    )


def _node_reason(place: QueuePlace, node: NodeView, wall_s: float) -> NodeReason:
    reason, detail = _why_not(place, node, wall_s)
    return NodeReason(node_id=node.id, reason=reason, detail=detail)


def _why_not(place: QueuePlace, node: NodeView, wall_s: float) -> tuple[Reason, str]:
    view = place.view
    if view.state in FINAL:
        return "finished", f"it is {view.state}"
    if view.held and view.node == node.id:
        return "running_here", f"runs attempt {view.attempt}"
    profile = NodeProfile(node_id=node.id, handlers=frozenset(node.handlers), labels=node.labels)
    wanted = TaskClass(view.name, tuple(sorted(view.requires.items())), view.target or "")
    return misfit(profile, wanted) or _not_now(place, node, wall_s)


def _not_now(place: QueuePlace, node: NodeView, wall_s: float) -> tuple[Reason, str]:
    """The node fits; say what is in the way at this moment."""
    view = place.view
    if node.state == "unreachable":
        return "unreachable", f"not heard of for {max(0.0, wall_s - node.last_seen_at):.0f} s"
    if node.state == "draining" or node.draining:
        return "draining", "finishes what it runs and takes nothing new"
    if node.cordoned:
        return "cordoned", "an operator asked it to take nothing new"
    if view.state is TaskState.SCHEDULED:
        return "not_due", f"due in {max(0.0, (view.due_at or wall_s) - wall_s):.0f} s"
    limit = view.options.concurrency_limit
    if view.options.concurrency_key is not None and place.concurrency_holders >= limit:
        key = view.options.concurrency_key
        return "concurrency_key", f"{place.concurrency_holders} of {limit} attempts with key {key} run"
    if node.slots_in_use >= node.slots:
        return "busy", f"{node.slots_in_use} of {node.slots} slots are in use"
    return "can_run", "has a free slot; it will be assigned in a moment"


def _summary(place: QueuePlace, nodes: Sequence[NodeView], reasons: Sequence[NodeReason], wall_s: float) -> str:
    view = place.view
    if view.state in FINAL:
        return f"It is {view.state}."
    if view.state is TaskState.RUNNING:
        return f"It is running: attempt {view.attempt} on node {view.node}."
    if view.state is TaskState.SCHEDULED:
        return f"It waits for its time, {max(0.0, (view.due_at or wall_s) - wall_s):.0f} s from now."
    fitting = [reason for reason in reasons if reason.reason not in {"labels", "handler_unknown", "not_target"}]
    if not reasons:
        return "No node is known yet; it waits until one registers."
    if not fitting:
        return _why_nobody(view, nodes, reasons)
    counted = ", ".join(
        f"{sum(1 for item in fitting if item.reason == reason)} {reason}"
        for reason in sorted({item.reason for item in fitting})
    )
    ahead = "" if place.position is None else f"; {place.position - 1} of its class stand before it"
    return f"{len(fitting)} of {len(reasons)} nodes fit it: {counted}{ahead}."


def _why_nobody(view: TaskView, nodes: Sequence[NodeView], reasons: Sequence[NodeReason]) -> str:
    """Say what no node has; a name that somebody mistyped is the likeliest cause of all."""
    if view.target:
        detail = next((reason.detail for reason in reasons if reason.node_id == view.target), None)
        if detail is not None:
            return f"Only node {view.target} may run it: {detail}."
        guess = nearest(view.target, [node.id for node in nodes])
        return f"Only node {view.target} may run it, and there is no such node.{guess}"
    handlers = {name for node in nodes for name in node.handlers}
    if view.name not in handlers:
        return f"No node has a handler named {view.name}; it waits until one has.{nearest(view.name, sorted(handlers))}"
    wanted = " ".join(f"{label}={value}" for label, value in sorted(view.requires.items()))
    return f"No node that has its handler has what it requires: {wanted}."
