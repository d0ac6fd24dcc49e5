"""When an attempt is freed because nothing was heard of its node.

The node stops an attempt when no heartbeat that it *sent* within the last ``lease_s`` was acknowledged. The hub frees
it when it has *received* none for ``lease_s`` and a margin. What the hub received was sent before, so the node is
always earlier, and the margin is what stopping may take. Monotonic clocks only; a hub that starts counts every lease as
renewed.
"""

from __future__ import annotations

# Time to stop a handler (a child process is killed at once, a thread is waited for) and for clocks that drift: 5 s, and
# 1 % of the lease, a hundred times what a quartz drifts.
MARGIN_FIXED_S = 5.0
MARGIN_SHARE = 0.01

# If this share of the fleet falls silent, and at least so many nodes, the fault is more likely on our side.
SUSPICIOUS_SHARE = 0.3
SUSPICIOUS_NODES = 3

# Heartbeats that may be missing before a node counts as silent.
SILENT_HEARTBEATS = 3


def margin_s(lease_s: float) -> float:
    """Give the time by which the hub is later than the node."""
    return MARGIN_FIXED_S + MARGIN_SHARE * lease_s


def remaining_s(lease_s: float, silent_s: float) -> float:
    """Give how much longer the hub waits before it frees an attempt with this lease; 0 or less means now."""
    return lease_s + margin_s(lease_s) - silent_s


def is_silent(silent_s: float, heartbeat_s: float) -> bool:
    """Tell whether a node has missed so many heartbeats that it counts as silent."""
    return silent_s > SILENT_HEARTBEATS * heartbeat_s


def suspects_itself(silent_nodes: int, known_nodes: int) -> bool:
    """Tell whether so much of the fleet is silent that the hub frees nothing and raises an alarm instead.

    ``known_nodes`` counts the silent ones too; nodes that said `bye` or that are gone count in neither.
    """
    return silent_nodes >= SUSPICIOUS_NODES and silent_nodes >= SUSPICIOUS_SHARE * known_nodes
