"""All claims, at sizes that fit into three minutes on an idle machine with two cores."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from benchmarks import (
    delayed,
    growing,
    idle_sessions,
    large_payloads,
    latency,
    reconnect_storm,
    restart,
    throughput,
    watchers,
)
from benchmarks.claim import Claim
from benchmarks.standing_queues import StandingQueues

Measurement: TypeAlias = Callable[[StandingQueues], Claim]

# Where a size is smaller than that of the module run alone, it is so for the time that it takes.
MEASUREMENTS: Final[Mapping[str, Measurement]] = {
    "throughput": lambda _: throughput.measure(throughput.Settings()),
    "latency": lambda _: latency.measure(latency.Settings(seconds=10.0)),
    "large_payloads": lambda _: large_payloads.measure(large_payloads.Settings(tasks=1000)),
    "idle_sessions": lambda _: idle_sessions.measure(idle_sessions.Settings(settle_s=5.0, watch_s=20.0)),
    "reconnect_storm": lambda _: reconnect_storm.measure(reconnect_storm.Settings(rounds=2)),
    "growing": lambda queues: growing.measure(
        growing.Settings(tasks=10_000, rounds=2, queued=(1000, 1_000_000), idle_nodes=(1, 5000)), queues
    ),
    "restart": lambda queues: restart.measure(restart.Settings(restarts=3), queues),
    "delayed": lambda _: delayed.measure(delayed.Settings(tasks=200, seconds=2.0)),
    "watchers": lambda _: watchers.measure(watchers.Settings(settle_s=3.0, watch_s=8.0)),
}
"""Each claim by the name of its module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A measurement that came to no end: which, and why."""

    claim: str
    error: str


def run(
    names: Iterable[str], queues: StandingQueues, measurements: Mapping[str, Measurement] = MEASUREMENTS
) -> Iterator[tuple[str, Claim | Broken]]:
    """Measure one after the other; one that breaks does not keep the others from being measured."""
    for name in names:
        try:
            yield name, measurements[name](queues)
        except Exception as error:
            # The top of one measurement: whatever it is, it is told.
            yield name, Broken(claim=name, error="".join(traceback.format_exception(error)))


def as_json(told: Sequence[tuple[str, Claim | Broken]], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is printed: the figures that are asked for most on top, and every claim under ``claims``."""
    whole = {name: claim for name, claim in told if isinstance(claim, Claim)}
    top: dict[str, Any] = {}
    if (bulk := whole.get("throughput")) is not None:
        top["tasks_per_s"] = bulk.figures["tasks_per_s"]
        top["tasks_per_s_rounds"] = bulk.figures["tasks_per_s_rounds"]
        top["settings"] = bulk.settings
    if (times := whole.get("latency")) is not None:
        top["rtt_ms"] = {name: times.figures["one_at_a_time_ms"][name] for name in ("p50", "p99", "n")}
    claims = [
        {"name": name, **claim.as_json()} if isinstance(claim, Claim) else {"name": name, "error": claim.error}
        for name, claim in told
    ]
    return {**top, "claims": claims, "conditions": conditions}
