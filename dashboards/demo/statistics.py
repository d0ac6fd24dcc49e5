"""Were the statistics kept: what the hub says of its nodes before and after it was killed, and at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFigures:
    """What the API says of one node at one moment, as far as it may only grow or must not change."""

    node_id: str
    first_seen_at: float
    connects: int
    totals: Mapping[str, int]
    """Attempts by what they came to: `succeeded`, `failed`, `cancelled`, `lost`."""


def check_growth(earlier: Sequence[NodeFigures], later: Sequence[NodeFigures]) -> list[str]:
    """Say, in sentences, what has shrunk, changed or vanished between two moments; an empty list if nothing has."""
    problems: list[str] = []
    found = {figures.node_id: figures for figures in later}
    for before in earlier:
        after = found.get(before.node_id)
        if after is None:
            problems.append(f"node {before.node_id} is not known any more")
            continue
        problems += _check_node(before, after)
    return problems


def check_sums(figures: Sequence[NodeFigures], told: Mapping[str, int]) -> list[str]:
    """Say where the sum over all nodes differs from what clients were told.

    Holds if no task failed and was tried again: totals count attempts, clients are told about tasks.
    """
    problems = []
    for outcome in ("succeeded", "failed", "cancelled"):
        counted = sum(node.totals.get(outcome, 0) for node in figures)
        if counted != told.get(outcome, 0):
            problems.append(f"the nodes' totals say {counted} {outcome}, clients were told {told.get(outcome, 0)}")
    return problems


def _check_node(before: NodeFigures, after: NodeFigures) -> list[str]:
    problems = [
        f"node {before.node_id}: {outcome} was {count} and is {after.totals.get(outcome, 0)}"
        for outcome, count in before.totals.items()
        if after.totals.get(outcome, 0) < count
    ]
    if after.connects < before.connects:
        problems.append(f"node {before.node_id}: connects was {before.connects} and is {after.connects}")
    if after.first_seen_at != before.first_seen_at:
        problems.append(
            f"node {before.node_id}: first seen at {before.first_seen_at}, and now it is {after.first_seen_at}"
        )
    return problems
