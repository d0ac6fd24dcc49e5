"""What rules about nodes find in the facts of a look. Pure; remembers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from hub.alerts import rules
from hub.alerts.condition import Condition, Found, counted, named
from hub.alerts.facts import Facts, PresentNode
from hub.alerts.recents import Recents
from hub.decisions.verdict import duration
from hub.store.alerts import AwayNode


def node_unreachable(rule: rules.NodeUnreachable, facts: Facts, _: Recents) -> Found:
    """Find nodes that are away."""
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


def node_flapping(rule: rules.NodeFlapping, facts: Facts, recents: Recents) -> Found:
    """Find nodes that come and go."""
    counts = recents.departures(rule.window_s, facts.now.steady_s)
    is_chosen = _chosen(rule, facts)
    return [
        Condition(
            subject=node_id,
            node_id=node_id,
            value=count,
            message=f"node {node_id} lost its connection {count} times within {duration(rule.window_s)}",
        )
        for node_id, count in counts.items()
        if count >= rule.times and is_chosen(node_id)
    ]


def nodes_silent(rule: rules.NodesSilent, facts: Facts, _: Recents) -> Found:
    """Find that many nodes are away at once."""
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


def clock_skew(rule: rules.ClockSkew, facts: Facts, _: Recents) -> Found:
    """Find nodes whose clock is wrong."""
    found = []
    for node in facts.present:
        skew_s, node_id = node.skew_s, node.id
        if skew_s is None or abs(skew_s) <= rule.skew_s or not rule.chooses(node):
            continue
        way = "ahead of" if skew_s > 0 else "behind"
        message = f"the clock of node {node_id} is {abs(skew_s):.1f} s {way} the hub's"
        found.append(Condition(subject=node_id, node_id=node_id, value=skew_s, message=message))
    return found


def version_skew(rule: rules.VersionSkew, facts: Facts, _: Recents) -> Found:
    """Find versions that the hub does not run."""
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
            message=f"{counted(len(node_ids), 'node')} {'runs' if len(node_ids) == 1 else 'run'} version {version},"
            f" the hub {facts.hub_version}: {named(node_ids)}",
        )
        for version, node_ids in others.items()
    ]


def alarm(rule: rules.Alarm, facts: Facts, recents: Recents) -> Found:
    """Find nodes about which the core raised an alarm of late."""
    found = []
    is_chosen = _chosen(rule, facts)
    for node_id, raised in recents.alarms(rule.kind, rule.hold_s, facts.now.steady_s).items():
        if not is_chosen(node_id):
            continue
        often = f" ({raised.count} times)" if raised.count > 1 else ""
        found.append(
            Condition(
                subject=node_id,
                node_id=node_id,
                since_s=raised.since_s,
                value=raised.count,
                message=f"{raised.message}{often}",
            )
        )
    return found


def _chosen(rule: rules.NodeRule, facts: Facts) -> Callable[[str], bool]:
    """Give what tells whether a rule is about a node of which only the id is at hand."""
    if not rule.filter:
        return lambda _: True
    known: Iterable[PresentNode | AwayNode] = chain(facts.present, facts.away or ())
    ids = {node.id for node in known if rule.chooses(node)}
    return ids.__contains__


def _compared(version: str, compare: str) -> tuple[str, ...]:
    parts = version.split(".")
    return tuple(parts if compare == "exact" else parts[: 2 if compare == "minor" else 1])
