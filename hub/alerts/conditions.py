"""What each rule finds in the facts of one look: about whom, since when, and in words. Pure; remembers nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hub.alerts import hub_conditions, node_conditions, rules, task_conditions
from hub.alerts.condition import Found
from hub.alerts.facts import Facts
from hub.alerts.recents import Recents

# Any: a table from a type to the function that takes just this type is more than the type system can say.
_FINDERS: Final[dict[type[rules.Rule], Callable[[Any, Facts, Recents], Found]]] = {
    rules.NodeUnreachable: node_conditions.node_unreachable,
    rules.NodeFlapping: node_conditions.node_flapping,
    rules.NodesSilent: node_conditions.nodes_silent,
    rules.QueueAge: task_conditions.queue_age,
    rules.NoNodeForTask: task_conditions.no_node_for_task,
    rules.FailureRate: task_conditions.failure_rate,
    rules.HubRestarted: hub_conditions.hub_restarted,
    rules.HubDegraded: hub_conditions.hub_degraded,
    rules.DiskLow: hub_conditions.disk_low,
    rules.CertificateExpires: hub_conditions.certificate_expires,
    rules.TokenExpires: hub_conditions.token_expires,
    rules.ClockSkew: node_conditions.clock_skew,
    rules.VersionSkew: node_conditions.version_skew,
    rules.Alarm: node_conditions.alarm,
    rules.InstanceConflict: node_conditions.alarm,
}


def conditions(rule: rules.Rule, facts: Facts, recents: Recents) -> Found:
    """Give all that the rule finds now, one for each subject."""
    return _FINDERS[type(rule)](rule, facts, recents)
