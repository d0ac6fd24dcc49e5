"""What rules about tasks find in the facts of a look. Pure; remembers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.alerts import rules
from hub.alerts.condition import Condition, Found, named
from hub.alerts.facts import Facts, PresentNode
from hub.alerts.recents import Recents
from hub.decisions.scheduling import can_serve
from hub.decisions.verdict import duration
from hub.store.alerts import QueueHead
from hub.store.tasks import TaskClass

# Classes of tasks that nobody can run and that are told at once: to find that nobody can takes a look at each node.
UNSERVED_MAX: Final = 50


def queue_age(rule: rules.QueueAge, facts: Facts, _: Recents) -> Found:
    """Find tasks that wait for too long."""
    wall_s = facts.now.wall_s
    if not rule.filter:
        if not facts.has_queue:
            return None
        if facts.oldest_queued_at is None or wall_s - facts.oldest_queued_at <= rule.older_than_s:
            return []
        age_s = wall_s - facts.oldest_queued_at
        return [Condition(subject="", value=age_s, message=f"the oldest task waits {duration(age_s)}")]
    if facts.heads is None:
        return None
    oldest: dict[str, float] = {}
    for head in facts.heads:
        if rule.chooses(head.name):
            oldest[head.name] = min(head.since_at, oldest.get(head.name, head.since_at))
    return [
        Condition(
            subject=name,
            value=wall_s - since_at,
            message=f"the oldest task {name} waits {duration(wall_s - since_at)}",
        )
        for name, since_at in oldest.items()
        if wall_s - since_at > rule.older_than_s
    ]


def no_node_for_task(rule: rules.NoNodeForTask, facts: Facts, _: Recents) -> Found:
    """Find tasks that nobody can run."""
    if facts.heads is None or facts.away is None:
        return None
    away = {node.id for node in facts.away}
    by_handler: dict[str, list[PresentNode]] = {}
    for node in facts.present:
        for handler in node.profile.handlers:
            by_handler.setdefault(handler, []).append(node)
    found: dict[str, Condition] = {}
    for head in facts.heads:
        subject = _class_words(head)
        # A task for a node that is away waits for it, and that the node is away is told by itself.
        if subject in found or not rule.chooses(head.name) or head.target in away:
            continue
        why = _why_nobody(head, by_handler.get(head.name, ()))
        if why:
            wait_s = facts.now.wall_s - head.since_at
            message = f"no node can run task {subject}: {why}"
            found[subject] = Condition(subject=subject, value=wait_s, message=message)
            if len(found) == UNSERVED_MAX:
                break
    return list(found.values())


def failure_rate(rule: rules.FailureRate, facts: Facts, recents: Recents) -> Found:
    """Find names that fail too often."""
    if facts.names is None:
        return None
    found = []
    for name, counts in recents.names(rule.window_s, facts.now.steady_s).items():
        if counts.ended < rule.at_least or counts.failed < rule.share * counts.ended or not rule.chooses(name):
            continue
        share = counts.failed / counts.ended
        message = (
            f"{counts.failed} of {counts.ended} attempts of {name} failed within {duration(rule.window_s)}"
            f" ({share:.0%})"
        )
        found.append(Condition(subject=name, value=share, message=message))
    return found


def _why_nobody(head: QueueHead, candidates: Sequence[PresentNode]) -> str:
    """Say why none of the nodes with its handler takes a task; empty if one does."""
    wanted = TaskClass(head.name, tuple(head.requires.items()), head.target)
    idle = []
    for node in candidates:
        if can_serve(node.profile, wanted):
            if node.takes_work:
                return ""
            idle.append(node.id)
    if idle:
        return f"those that could are cordoned or draining: {named(idle)}"
    return "no connected node has the handler" + (" with these labels" if head.requires else "")


def _class_words(head: QueueHead) -> str:
    labels = "".join(f" {key}={value}" for key, value in sorted(head.requires.items()))
    target = f" on {head.target}" if head.target else ""
    return f"{head.name}{labels}{target}"[:300]
