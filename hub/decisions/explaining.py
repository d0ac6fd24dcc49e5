"""Why a task is not running: a sentence, and a reason for each node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from hub.decisions.lifecycle import FINAL, TaskState
from hub.decisions.scheduling import Reason, misfit
from hub.decisions.sessions import LiveNode
from hub.decisions.suggestions import nearest
from hub.store.assignments import NodeProfile
from hub.store.node_views import NodeView
from hub.store.task_views import QueuePlace, TaskView
from hub.store.tasks import TaskClass

MIB: Final = 1024 * 1024


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


class Moment(Struct, frozen=True, kw_only=True):
    """What the hub knows beside its store when it is asked. ``live``: of nodes that are connected. ``is_unsent``: the
    task is assigned, and waits in the hub to be sent. ``degraded``: why the store takes no commits; None: it does.
    """

    wall_s: float
    live: Mapping[str, LiveNode] = {}
    is_unsent: bool = False
    degraded: str | None = None


def explain(place: QueuePlace, nodes: Iterable[NodeView], moment: Moment) -> Explanation:
    """Say why a task is not running, for each node that is not gone."""
    known = [node for node in nodes if node.state != "gone"]
    reasons = [_node_reason(place, node, moment) for node in known]
    return Explanation(
        task_id=place.view.id,
        state=place.view.state,
        summary=_summary(place, known, reasons, moment),
        position=place.position,
        nodes=reasons,
    )


def _node_reason(place: QueuePlace, node: NodeView, moment: Moment) -> NodeReason:
    reason, detail = _why_not(place, node, moment)
    return NodeReason(node_id=node.id, reason=reason, detail=detail)


def _why_not(place: QueuePlace, node: NodeView, moment: Moment) -> tuple[Reason, str]:
    view = place.view
    if view.state in FINAL:
        return "finished", f"it is {view.state}"
    if view.held and view.node == node.id:
        if moment.is_unsent:
            waits = _waits(moment.live.get(node.id))
            return "running_here", f"is to run attempt {view.attempt}, which waits to be sent: {waits}"
        return "running_here", f"runs attempt {view.attempt}"
    profile = NodeProfile(node_id=node.id, handlers=frozenset(node.handlers), labels=node.labels)
    wanted = TaskClass(view.name, tuple(sorted(view.requires.items())), view.target or "")
    return misfit(profile, wanted) or _not_now(place, node, moment)


def _not_now(place: QueuePlace, node: NodeView, moment: Moment) -> tuple[Reason, str]:
    """The node fits; say what is in the way at this moment."""
    view, wall_s = place.view, moment.wall_s
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
    live = moment.live.get(node.id)
    if live is not None and not live.has_room:
        return "backlog", f"has a free slot, and is given no more until it has read what it was: {_waits(live)}"
    if moment.degraded is not None:
        return "can_run", f"has a free slot; nothing is assigned until the store takes commits: {moment.degraded}"
    return "can_run", "has a free slot; it will be assigned in a moment"


def _waits(live: LiveNode | None) -> str:
    """Say what waits to be sent to a node, and what waits for room behind it."""
    if live is None:
        return "the node is not connected"
    behind = f", and {live.unsent_tasks} tasks for room behind them" if live.unsent_tasks else ""
    return f"{live.unsent_bytes / MIB:.1f} MiB of tasks wait for it to read them{behind}"


def _summary(place: QueuePlace, nodes: Sequence[NodeView], reasons: Sequence[NodeReason], moment: Moment) -> str:
    view, wall_s = place.view, moment.wall_s
    if view.state in FINAL:
        return f"It is {view.state}."
    if view.state is TaskState.RUNNING:
        if moment.is_unsent:
            return f"It is assigned to node {view.node}, attempt {view.attempt}, and waits for the node to read more."
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
    held_up = "" if moment.degraded is None else " Nothing is assigned until the store takes commits."
    return f"{len(fitting)} of {len(reasons)} nodes fit it: {counted}{ahead}.{held_up}"


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
