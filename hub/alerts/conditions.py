"""What each rule finds in the facts of one look: about whom, since when, and in words. Pure; remembers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, TypeAlias

from msgspec import Struct

from hub.alerts import rules
from hub.alerts.facts import Facts, PresentNode
from hub.alerts.recents import Recents
from hub.scheduling import can_serve
from hub.store.alerts import AwayNode, QueueHead
from hub.store.nodes import HUB_STOPPED
from hub.store.tasks import TaskClass
from hub.verdict import duration

# Ids that a message names; a sentence with more is not read.
NAMED_MAX: Final = 5

# Classes of tasks that nobody can run and that are told at once: to find that nobody can takes a look at each node.
UNSERVED_MAX: Final = 50

# How long a token that has run out is still told of: long enough to be seen by who uses it.
EXPIRED_TOLD_S: Final = 24 * 3600.0


class Condition(Struct, frozen=True, kw_only=True):
    """Something that a rule looks for is so. ``subject``: about whom, empty for the hub or the fleet as a whole.
    ``since_s``: since when on the steady clock, None where only the looks tell.
    """

    subject: str
    message: str
    value: float | None = None
    since_s: float | None = None
    node_id: str = ""


Found: TypeAlias = Sequence[Condition] | None
"""None: this look does not tell; everything stays as it was."""


def conditions(rule: rules.Rule, facts: Facts, recents: Recents) -> Found:
    """Give all that the rule finds now, one for each subject."""
    return _FINDERS[type(rule)](rule, facts, recents)


# --- nodes -----------------------------------------------------------------------------------------------------------


def _node_unreachable(rule: rules.NodeUnreachable, facts: Facts, _: Recents) -> Found:
    if facts.away is None:
        return None
    return [
        Condition(
            subject=node.id,
            node_id=node.id,
            since_s=node.since_s,
            value=facts.now.steady_s - node.since_s,
            message=f"node {node.id} is unreachable: {node.reason or 'no reason known'}",
        )
        for node in facts.away
        if rule.chooses(node)
    ]


def _node_flapping(rule: rules.NodeFlapping, facts: Facts, recents: Recents) -> Found:
    counts = recents.departures(rule.window_s, facts.now.steady_s)
    return [
        Condition(
            subject=node_id,
            node_id=node_id,
            value=count,
            message=f"node {node_id} lost its connection {count} times within {duration(rule.window_s)}",
        )
        for node_id, count in counts.items()
        if count >= rule.times and _chooses_by_id(rule, node_id, facts)
    ]


def _nodes_silent(rule: rules.NodesSilent, facts: Facts, _: Recents) -> Found:
    if facts.away is None:
        return None
    away = sum(rule.chooses(node) for node in facts.away)
    here = sum(rule.chooses(node) for node in facts.present) if rule.filter else len(facts.present)
    total = away + here
    if away < rule.at_least or away < rule.share * total:
        return []
    suspicion = "; the hub suspects itself and ends no lease" if facts.is_suspicious else ""
    message = f"{away} of {total} nodes are unreachable at once{suspicion}"
    return [Condition(subject="", value=away / total, message=message)]


def _clock_skew(rule: rules.ClockSkew, facts: Facts, _: Recents) -> Found:
    found = []
    for node in facts.present:
        skew_s, node_id = node.skew_s, node.id
        if skew_s is None or abs(skew_s) <= rule.skew_s or not rule.chooses(node):
            continue
        way = "ahead of" if skew_s > 0 else "behind"
        message = f"the clock of node {node_id} is {abs(skew_s):.1f} s {way} the hub's"
        found.append(Condition(subject=node_id, node_id=node_id, value=skew_s, message=message))
    return found


def _version_skew(rule: rules.VersionSkew, facts: Facts, _: Recents) -> Found:
    mine = _compared(facts.hub_version, rule.compare)
    others: dict[str, list[str]] = {}
    for node in facts.present:
        if node.version in {"", facts.hub_version} or _compared(node.version, rule.compare) == mine:
            continue
        if rule.chooses(node):
            others.setdefault(node.version, []).append(node.id)
    return [
        Condition(
            subject=version,
            value=len(node_ids),
            message=f"{_counted(len(node_ids), 'node')} {'runs' if len(node_ids) == 1 else 'run'} version {version},"
            f" the hub {facts.hub_version}: {_named(node_ids)}",
        )
        for version, node_ids in others.items()
    ]


def _compared(version: str, compare: str) -> tuple[str, ...]:
    parts = version.split(".")
    return tuple(parts if compare == "exact" else parts[: 2 if compare == "minor" else 1])


# --- tasks -----------------------------------------------------------------------------------------------------------


def _queue_age(rule: rules.QueueAge, facts: Facts, _: Recents) -> Found:
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


def _no_node_for_task(rule: rules.NoNodeForTask, facts: Facts, _: Recents) -> Found:
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
        return f"those that could are cordoned or draining: {_named(idle)}"
    return "no connected node has the handler" + (" with these labels" if head.requires else "")


def _class_words(head: QueueHead) -> str:
    labels = "".join(f" {key}={value}" for key, value in sorted(head.requires.items()))
    target = f" on {head.target}" if head.target else ""
    return f"{head.name}{labels}{target}"[:300]


def _failure_rate(rule: rules.FailureRate, facts: Facts, recents: Recents) -> Found:
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


# --- the hub ---------------------------------------------------------------------------------------------------------


def _hub_restarted(rule: rules.HubRestarted, facts: Facts, _: Recents) -> Found:
    start = facts.start
    if start is None:
        return []
    age_s = facts.now.steady_s - start.started_s
    missing = None if facts.away is None else sum(node.reason == HUB_STOPPED for node in facts.away)
    # The first look always finds it, so that it is told however soon the nodes are back.
    is_over = facts.watched_s > 0 and (missing == 0 or age_s > rule.settle_s)
    if is_over:
        return []
    tasks = {state: count for state, count in start.tasks.items() if count and state in _OPEN}
    held = ", ".join(f"{count} {state}" for state, count in tasks.items()) or "no open tasks"
    message = f"the hub started again and found {held}; {_counted(start.nodes, 'node')} to come back"
    subject = datetime.fromtimestamp(start.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [Condition(subject=subject, since_s=start.started_s, value=start.nodes, message=message)]


_OPEN: Final = frozenset({"scheduled", "queued", "running"})


def _hub_degraded(_rule: rules.HubDegraded, facts: Facts, _: Recents) -> Found:
    if facts.degraded is None:
        return []
    return [Condition(subject="", message=f"the hub is degraded, its store takes no commits: {facts.degraded}")]


def _disk_low(rule: rules.DiskLow, facts: Facts, _: Recents) -> Found:
    disk = facts.disk
    if disk is None:
        return None
    if disk.free_bytes >= max(rule.free_bytes, rule.free_share * disk.total_bytes):
        return []
    share = disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    message = f"{disk.free_bytes / 1024**2:.0f} MiB ({share:.1%}) are free on the disk of {disk.path}"
    return [Condition(subject=disk.path, value=disk.free_bytes, message=message)]


def _certificate_expires(rule: rules.CertificateExpires, facts: Facts, _: Recents) -> Found:
    if facts.certificates is None:
        return None
    found = []
    for certificate in facts.certificates:
        left_s = certificate.expires_at - facts.now.wall_s
        if left_s < rule.within_s:
            message = f"the certificate {certificate.path} {_expiry_words(left_s, certificate.expires_at)}"
            found.append(Condition(subject=certificate.path, value=left_s, message=message))
    return found


def _token_expires(rule: rules.TokenExpires, facts: Facts, _: Recents) -> Found:
    if facts.tokens is None:
        return None
    found = []
    for token in facts.tokens:
        left_s = token.expires_at - facts.now.wall_s
        is_short = token.expires_at - token.created_at <= rule.within_s
        if is_short or not -EXPIRED_TOLD_S < left_s < rule.within_s:
            continue
        message = f"the token {token.id} ({token.name}, {token.role}) {_expiry_words(left_s, token.expires_at)}"
        found.append(Condition(subject=token.id, value=left_s, message=message))
    return found


def _expiry_words(left_s: float, at: float) -> str:
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"runs out in {duration(left_s)} ({day})" if left_s > 0 else f"has run out ({day})"


def _alarm(rule: rules.Alarm, facts: Facts, recents: Recents) -> Found:
    found = []
    for node_id, alarm in recents.alarms(rule.kind, rule.hold_s, facts.now.steady_s).items():
        if not _chooses_by_id(rule, node_id, facts):
            continue
        often = f" ({alarm.count} times)" if alarm.count > 1 else ""
        found.append(
            Condition(
                subject=node_id,
                node_id=node_id,
                since_s=alarm.since_s,
                value=alarm.count,
                message=f"{alarm.message}{often}",
            )
        )
    return found


def _chooses_by_id(rule: rules.NodeRule, node_id: str, facts: Facts) -> bool:
    """Tell whether a rule is about a node of which only the id is at hand."""
    if not rule.filter:
        return True
    known: Iterable[PresentNode | AwayNode] = chain(facts.present, facts.away or ())
    return any(node.id == node_id and rule.chooses(node) for node in known)


# --- words -----------------------------------------------------------------------------------------------------------


def over_words(kind: str, subject: str, facts: Facts, lasted_s: float) -> str:
    """Say that what a rule of this kind had found is over."""
    lasted = duration(lasted_s)
    if kind == "node_unreachable":
        if any(node.id == subject for node in facts.present):
            return f"node {subject} is back after {lasted}"
        return f"node {subject} is given up after {lasted}: it left, or was away for too long"
    if kind == "hub_restarted" and facts.away is not None:
        missing = sum(node.reason == HUB_STOPPED for node in facts.away)
        return (
            f"{_counted(missing, 'node')} not back after {lasted}" if missing else f"all nodes are back after {lasted}"
        )
    return f"{_OVER[kind].format(subject=subject)} (it was so for {lasted})"


_OVER: Final = {
    "node_flapping": "node {subject} keeps its connection",
    "nodes_silent": "enough nodes are back",
    "queue_age": "no task waits too long",
    "no_node_for_task": "no task {subject} waits for a node that could run it",
    "failure_rate": "attempts of {subject} no longer fail that often",
    "hub_restarted": "the hub has settled",
    "hub_degraded": "the store takes commits again",
    "disk_low": "there is room on the disk of {subject} again",
    "certificate_expires": "the certificate {subject} is good for longer",
    "token_expires": "the token {subject} is revoked or gone",
    "clock_skew": "the clock of node {subject} is right, or the node is gone",
    "version_skew": "no connected node runs version {subject}",
    "lease_expired": "no more leases of node {subject} run out",
    "instance_conflict": "no second process uses node {subject} any more",
    "unknown_attempts": "node {subject} brings no more attempts that are not known",
    "foreign_result": "node {subject} brings no more results of other nodes",
    "operation_failed": "no more operations of the store fail",
}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _named(ids: Iterable[str]) -> str:
    ordered = sorted(ids)
    more = len(ordered) - NAMED_MAX
    return ", ".join(ordered[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


# Any: a table from a type to the function that takes just this type is more than the type system can say.
_FINDERS: Final[dict[type[rules.Rule], Callable[[Any, Facts, Recents], Found]]] = {
    rules.NodeUnreachable: _node_unreachable,
    rules.NodeFlapping: _node_flapping,
    rules.NodesSilent: _nodes_silent,
    rules.QueueAge: _queue_age,
    rules.NoNodeForTask: _no_node_for_task,
    rules.FailureRate: _failure_rate,
    rules.HubRestarted: _hub_restarted,
    rules.HubDegraded: _hub_degraded,
    rules.DiskLow: _disk_low,
    rules.CertificateExpires: _certificate_expires,
    rules.TokenExpires: _token_expires,
    rules.ClockSkew: _clock_skew,
    rules.VersionSkew: _version_skew,
    rules.Alarm: _alarm,
    rules.InstanceConflict: _alarm,
}
