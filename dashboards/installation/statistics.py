"""Were the statistics kept: what the hub says of its nodes before and after it was killed, and at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moorline.views import NodeView

COUNTED: Final = ("succeeded", "failed", "cancelled", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFigures:
    """What the API says of one node at one moment, as far as it may only grow or must not change."""

    node_id: str
    first_seen_at: float
    connects: int
    totals: Mapping[str, int]
    """Attempts by what they came to: `succeeded`, `failed`, `cancelled`, `lost`."""


class Statistics:
    """What the hub has said of its nodes so far, and what was wrong with it."""

    def __init__(self) -> None:
        self._figures: dict[str, NodeFigures] = {}
        self.problems: list[str] = []
        """What shrank, changed or vanished, in sentences; each once."""

    def note(self, views: Iterable[NodeView]) -> None:
        """Hold what the hub says now against what it said before."""
        now = {view.id: figures_of(view) for view in views}
        shrunk = check_growth(list(self._figures.values()), list(now.values()))
        self.problems += [problem for problem in shrunk if problem not in self.problems]
        self._figures |= now


def figures_of(view: NodeView) -> NodeFigures:
    """Give the figures of a node as the API tells them."""
    totals = {outcome: int(view.totals.get(outcome, 0)) for outcome in COUNTED}
    return NodeFigures(node_id=view.id, first_seen_at=view.first_seen_at, connects=view.connects, totals=totals)


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
