"""Rules: what is worth telling a person, as values. Valid when they exist; `docs/reference/alerts.md` says each.

A rule has a name, unique among all, and a kind. Without a file every kind has one rule of its own name with the
defaults that stand here.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from hub.alerts.channels import Severity
from hub.alerts.facts import PresentNode
from hub.alerts.selecting import chooses_name, chooses_node
from hub.store.alerts import AwayNode

DAY_S: Final = 24 * 3600.0

# Nothing is held longer than a week: after it a person has looked, or never will.
Hold: TypeAlias = Annotated[float, Meta(ge=0, le=7 * DAY_S)]
# What windows look back over is kept in memory, so they end somewhere.
Window: TypeAlias = Annotated[float, Meta(ge=1, le=DAY_S)]
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
Filter: TypeAlias = Annotated[str, Meta(max_length=8_000)]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all rules have. ``for_s``: how long it must be so before it is told. ``channels``: None means all.
    ``quiet`` names quiet times.
    """

    name: str
    kind: str
    severity: Severity = "warning"
    for_s: Hold = 0.0
    channels: tuple[str, ...] | None = None
    quiet: tuple[str, ...] = ()

    @property
    def memory_s(self) -> float:
        """How far it looks back over what only this process saw: so long after a start, that it sees nothing proves
        nothing.
        """
        return 0.0


class NodeRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule about nodes: all of them, or those that meet a filter."""

    filter: Filter = ""

    def chooses(self, node: AwayNode | PresentNode) -> bool:
        """Tell whether it is about this node."""
        return not self.filter or chooses_node(self.filter, node.id, node.name, node.labels, node.version)


class NameRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule about tasks: all of them, or those with a name that meets a filter."""

    filter: Filter = ""

    def chooses(self, name: str) -> bool:
        """Tell whether it is about tasks of this name."""
        return chooses_name(self.filter, name)


class NodeUnreachable(NodeRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node has no session for ``for_s``."""

    # A node that lost its link is back within half a minute; one that is not needs a look.
    for_s: Hold = 60.0


class NodeFlapping(NodeRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node lost its connection ``times`` times within ``window_s``."""

    times: Count = 5
    window_s: Window = 600.0

    @property
    def memory_s(self) -> float:
        """How far it looks back."""
        return self.window_s


class NodesSilent(NodeRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At least ``at_least`` nodes, and this ``share`` of the fleet, are unreachable at once."""

    severity: Severity = "critical"
    # A fleet that lost a hub for a moment is back after its spread; 15 s is what 4,500 nodes take at the usual rate.
    for_s: Hold = 15.0
    share: Share = 0.3
    at_least: Count = 3


class QueueAge(NameRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The oldest task that could run waits longer than ``older_than_s``; with a filter, the oldest of each name."""

    # After the hub was away a backlog is old and melts by itself.
    for_s: Hold = 30.0
    older_than_s: Annotated[float, Meta(gt=0, le=366 * DAY_S)] = 900.0


class NoNodeForTask(NameRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queued task that no connected node can run: no handler, not the labels, or cordoned and draining nodes only."""

    for_s: Hold = 120.0


class FailureRate(NameRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of at least ``at_least`` attempts of a name that ended within ``window_s`` this ``share`` failed."""

    share: Share = 0.5
    at_least: Count = 20
    window_s: Window = 600.0

    @property
    def memory_s(self) -> float:
        """How far it looks back."""
        return self.window_s


class HubRestarted(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hub started on a store that was in use before; it is over when its nodes are back, or after ``settle_s``."""

    settle_s: Annotated[float, Meta(ge=1, le=DAY_S)] = 600.0


class HubDegraded(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store takes no commits."""

    severity: Severity = "critical"


class DiskLow(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file system of the hub's state has less than ``free_bytes``, or less than this share of it, left."""

    severity: Severity = "critical"
    for_s: Hold = 30.0
    free_bytes: Annotated[int, Meta(ge=0)] = 1024 * 1024 * 1024
    free_share: Annotated[float, Meta(ge=0, le=1)] = 0.02


class CertificateExpires(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate of the hub's runs out within ``within_s``."""

    within_s: Annotated[float, Meta(gt=0, le=366 * DAY_S)] = 14 * DAY_S


class TokenExpires(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token runs out within ``within_s``. One whose whole life is shorter is meant to end, and not told."""

    within_s: Annotated[float, Meta(gt=0, le=366 * DAY_S)] = 7 * DAY_S


class ClockSkew(NodeRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node's wall clock is more than ``skew_s`` off the hub's."""

    for_s: Hold = 60.0
    skew_s: Annotated[float, Meta(gt=0, le=366 * DAY_S)] = 5.0


class VersionSkew(NodeRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connected nodes run another version than the hub, as far as ``compare`` looks."""

    # An upgrade, node by node, takes its time.
    for_s: Hold = 3600.0
    compare: Literal["exact", "minor", "major"] = "minor"


class Alarm(NodeRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hub raised the alarm of this kind's name; it is over when there was none for ``hold_s``."""

    hold_s: Window = 600.0

    @property
    def memory_s(self) -> float:
        """How far it looks back."""
        return self.hold_s


class InstanceConflict(Alarm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two live processes use one node id; the second comes back, and is refused, every 30 to 60 s."""

    severity: Severity = "critical"
    hold_s: Window = 180.0


KINDS: Final[dict[str, type[Rule]]] = {
    "node_unreachable": NodeUnreachable,
    "node_flapping": NodeFlapping,
    "nodes_silent": NodesSilent,
    "queue_age": QueueAge,
    "no_node_for_task": NoNodeForTask,
    "failure_rate": FailureRate,
    "hub_restarted": HubRestarted,
    "hub_degraded": HubDegraded,
    "disk_low": DiskLow,
    "certificate_expires": CertificateExpires,
    "token_expires": TokenExpires,
    "clock_skew": ClockSkew,
    "version_skew": VersionSkew,
    "lease_expired": Alarm,
    "instance_conflict": InstanceConflict,
    "unknown_attempts": Alarm,
    "foreign_result": Alarm,
    "operation_failed": Alarm,
}


def default_rules() -> tuple[Rule, ...]:
    """Give one rule of each kind, as they are without a file."""
    return tuple(made(name=kind, kind=kind) for kind, made in KINDS.items())
