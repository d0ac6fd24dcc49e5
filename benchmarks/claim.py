"""A claim, and how it is told: figures, the targets that they are held against, and under what they were measured."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one figure should come to, and what it came to."""

    figure: str
    target: str
    value: float
    unit: str
    met: bool


def at_most(figure: str, bound: float, value: float, unit: str) -> Target:
    """Hold a figure against a bound that it should not pass."""
    return Target(figure=figure, target=_words("≤", bound, unit), value=value, unit=unit, met=value <= bound)


def at_least(figure: str, bound: float, value: float, unit: str) -> Target:
    """Hold a figure against a bound that it should reach."""
    return Target(figure=figure, target=_words("≥", bound, unit), value=value, unit=unit, met=value >= bound)


def _words(sign: str, bound: float, unit: str) -> str:
    return f"{sign} {bound:g} {unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim as it was measured. Each figure carries its unit in its name.

    ``settings`` is all that decides the figures and could be chosen otherwise, ``conditions`` what could not: versions,
    the machine, and how busy it was before and after.
    """

    claim: str
    figures: Mapping[str, Any]
    settings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    targets: Sequence[Target] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Give what is printed."""
        return asdict(self)


def print_json(told: Mapping[str, Any]) -> None:
    """Print one JSON object as one line on stdout."""
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    sys.stdout.flush()
