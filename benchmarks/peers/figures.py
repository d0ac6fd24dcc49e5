"""What the rounds come to: medians, ranges, ratios round by round, and targets. Nothing here runs anything."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

TIMES: Final = "\N{MULTIPLICATION SIGN}"

Measure = Literal["tasks_per_s", "p50_ms", "p99_ms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one peer did in one round; loads are those of the last minute, before it began and after it ended."""

    tasks: int
    tasks_per_s: float
    p50_ms: float
    p99_ms: float
    singles: int
    load_before: float = 0.0
    load_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median and its range."""

    median: float
    least: float
    most: float

    @classmethod
    def over(cls, values: Sequence[float]) -> Spread:
        """Give the spread of at least one value."""
        return cls(median=statistics.median(values), least=min(values), most=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What Moorline sets out to reach against a peer: a bound on the ratio Moorline ÷ peer."""

    measure: Measure
    peer: str
    bound: float

    @property
    def is_least(self) -> bool:
        """Tell whether the bound is a least: of a rate more is better, of a time less."""
        return self.measure == "tasks_per_s"

    @property
    def text(self) -> str:
        """Say the bound as people write it."""
        return f"{'≥' if self.is_least else '≤'} {self.bound:g} {TIMES}"

    def is_met(self, ratio: float) -> bool:
        """Hold a ratio against the bound."""
        return ratio >= self.bound if self.is_least else ratio <= self.bound


TARGETS: Final = (
    Target(measure="tasks_per_s", peer="nats", bound=1.2),
    Target(measure="tasks_per_s", peer="jetstream", bound=5.0),
    Target(measure="tasks_per_s", peer="celery-synced", bound=40.0),
    Target(measure="p50_ms", peer="jetstream-synced", bound=1.0),
    Target(measure="p99_ms", peer="jetstream-synced", bound=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target held against what was measured; without a ratio it was not measured, and is not met."""

    target: Target
    ratio: float | None

    @property
    def is_met(self) -> bool:
        """Tell whether it was measured and is within its bound."""
        return self.ratio is not None and self.target.is_met(self.ratio)


Rounds = Mapping[int, Figures]
"""What one peer did, by the number of the round; rounds in which it failed are missing."""


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """Give the value which this share of the values does not exceed (nearest rank).

    Raises:
        IndexError: There are no values.
    """
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def spread(rounds: Rounds, measure: Measure) -> Spread:
    """Give the spread of one measure over the rounds."""
    return Spread.over([getattr(figures, measure) for figures in rounds.values()])


def ratio(ours: Rounds, theirs: Rounds, measure: Measure) -> Spread | None:
    """Give the spread of Moorline ÷ peer, taken round by round; None if no round has both."""
    ratios = [getattr(ours[number], measure) / getattr(theirs[number], measure) for number in ours if number in theirs]
    return Spread.over(ratios) if ratios else None


def verdicts(by_peer: Mapping[str, Rounds], ours: str) -> list[Verdict]:
    """Hold each target against the median of its ratios."""
    return [_verdict(target, by_peer.get(ours, {}), by_peer.get(target.peer, {})) for target in TARGETS]


def _verdict(target: Target, ours: Rounds, theirs: Rounds) -> Verdict:
    measured = ratio(ours, theirs, target.measure)
    return Verdict(target=target, ratio=None if measured is None else measured.median)
