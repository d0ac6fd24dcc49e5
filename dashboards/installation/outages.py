"""Who could not be heard when: what was broken, put together to silences that a lease may have run out in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboards.installation.faults import AUDIBLE, FREEZING, FaultKind


@dataclass(slots=True, kw_only=True)
class Outage:
    """Something broken on the way between one node and the hub, or one of the two themselves. Wall-clock seconds.

    Mutable: it is written down when it begins, and completed as it ends.
    """

    node: str
    kind: FaultKind
    began_at: float
    dead_at: float | None = None
    """For a kill, when the process was certainly dead: nothing of it can come later."""
    mended_at: float | None = None
    """When it was started again, went on, or its link was whole again."""
    recovered_at: float | None = None
    """When the hub had heard of the node again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time in which a node and the hub may not have heard of each other.

    ``kind``: the fault that lasted longest in it, ``fault_s``.
    """

    began_at: float
    until_at: float
    kind: FaultKind
    fault_s: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.until_at - self.began_at


def silences(outages: Iterable[Outage], now_at: float) -> Mapping[str, Sequence[Silence]]:
    """Give the silences of each node in their order. Outages that touch each other make one."""
    by_node: dict[str, list[Silence]] = {}
    for outage in sorted(outages, key=lambda outage: outage.began_at):
        if outage.kind in AUDIBLE:
            continue
        until_at = now_at if outage.recovered_at is None else outage.recovered_at
        found = by_node.setdefault(outage.node, [])
        mended_at = now_at if outage.mended_at is None else outage.mended_at
        new = Silence(
            began_at=outage.began_at,
            until_at=max(until_at, outage.began_at),
            kind=outage.kind,
            fault_s=mended_at - outage.began_at,
        )
        if found and new.began_at <= found[-1].until_at:
            found[-1] = _joined(found[-1], new)
        else:
            found.append(new)
    return by_node


def frozen_times(outages: Iterable[Outage], now_at: float) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Give when the process of each node stood still."""
    by_node: dict[str, list[tuple[float, float]]] = {}
    for outage in outages:
        if outage.kind in FREEZING:
            mended_at = now_at if outage.mended_at is None else outage.mended_at
            by_node.setdefault(outage.node, []).append((outage.began_at, mended_at))
    return by_node


def _joined(earlier: Silence, later: Silence) -> Silence:
    longest = max(earlier, later, key=lambda silence: silence.fault_s)
    return Silence(
        began_at=earlier.began_at,
        until_at=max(earlier.until_at, later.until_at),
        kind=longest.kind,
        fault_s=longest.fault_s,
    )
