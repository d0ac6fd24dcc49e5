"""What is said when something that a rule had found is over. Pure."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from hub.alerts.condition import counted
from hub.alerts.facts import Facts
from hub.decisions.verdict import duration
from hub.store.nodes import HUB_STOPPED

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


def over_words(kind: str, subject: str, facts: Facts, here: Container[str], lasted_s: float) -> str:
    """Say that what a rule of this kind had found is over. ``here``: the ids of the nodes with a live session."""
    lasted = duration(lasted_s)
    if kind == "node_unreachable":
        if subject in here:
            return f"node {subject} is back after {lasted}"
        return f"node {subject} is given up after {lasted}: it left, or was away for too long"
    if kind == "hub_restarted" and facts.away is not None:
        missing = sum(node.reason == HUB_STOPPED for node in facts.away)
        return (
            f"{counted(missing, 'node')} not back after {lasted}" if missing else f"all nodes are back after {lasted}"
        )
    return f"{_OVER[kind].format(subject=subject)} (it was so for {lasted})"
