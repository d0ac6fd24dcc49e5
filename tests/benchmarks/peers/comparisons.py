"""Records of comparisons that nobody made, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers.catalogue import peers_named
from benchmarks.peers.figures import Figures
from benchmarks.peers.record import Entry, Record


def figures(tasks_per_s: float, p50_ms: float = 1.0, p99_ms: float = 2.0) -> Figures:
    return Figures(tasks=100, tasks_per_s=tasks_per_s, p50_ms=p50_ms, p99_ms=p99_ms, singles=10)


def record(**rates: Sequence[float]) -> Record:
    """Make a record of peers of the catalogue, by name with `_` for `-`, from the rates of their rounds."""
    by_name = {name.replace("_", "-"): values for name, values in rates.items()}
    entries = [Entry.of(peer) for peer in peers_named(",".join(by_name)) if peer.name in by_name]
    for entry in entries:
        entry.rounds = {number: figures(rate) for number, rate in enumerate(by_name[entry.name], start=1)}
    rounds = max(map(len, by_name.values()))
    conditions: dict[str, str | int | float] = {
        "cpu": "Abacus <1>",
        "cores": 2,
        "memory_gib": 1.0,
        "kernel": "Linux 6",
        "python": "3.11.7",
    }
    return Record(rounds=rounds, payload_bytes=100, conditions=conditions, entries=entries)
