"""What is kept of a comparison: settings, versions, conditions, and every round's figures, as one JSON file."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from benchmarks.peers.environments import ROOT
from benchmarks.peers.figures import Figures, Measure, ratio, spread, verdicts
from benchmarks.peers.peer import Peer

RESULTS: Final = ROOT / "benchmarks" / "results" / "peers.json"

OURS: Final = "moorline"
MEASURES: Final[tuple[Measure, ...]] = ("tasks_per_s", "p50_ms", "p99_ms")


@dataclass(slots=True, kw_only=True)
class Entry:
    """One peer, its settings, and what it did; ``left_out`` says why it did nothing, ``failures`` by round why not."""

    name: str
    label: str
    is_synced: bool
    is_floor: bool
    on_submit: str
    on_result: str
    source: str
    settings: str
    versions: dict[str, str] = field(default_factory=dict)
    left_out: str = ""
    failures: dict[int, str] = field(default_factory=dict)
    rounds: dict[int, Figures] = field(default_factory=dict)

    @classmethod
    def of(cls, peer: Peer) -> Entry:
        """Make the entry of a peer that has done nothing yet."""
        return cls(
            name=peer.name,
            label=peer.label,
            is_synced=peer.is_synced,
            is_floor=peer.is_floor,
            on_submit=peer.on_submit,
            on_result=peer.on_result,
            source=peer.source,
            settings=peer.settings,
        )


@dataclass(slots=True, kw_only=True)
class Record:
    """One comparison; ``took_s`` is how long it has taken so far."""

    rounds: int
    payload_bytes: int
    conditions: dict[str, str | int | float]
    entries: list[Entry]
    took_s: float = 0.0

    def by_name(self) -> Mapping[str, Mapping[int, Figures]]:
        """Give the rounds of each peer by its name."""
        return {entry.name: entry.rounds for entry in self.entries}


def conditions() -> dict[str, str | int | float]:
    """Say on what is measured."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def write(record: Record, path: Path) -> None:
    """Write it, with a summary and the targets worked out for readers who want no arithmetic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {**msgspec.to_builtins(record), "summary": _summary(record), "targets": _targets(record)}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")


def read(path: Path) -> Record:
    """Read what `write` wrote.

    Raises:
        msgspec.DecodeError: It is something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=Record)


def _summary(record: Record) -> dict[str, dict[str, Any]]:
    by_name = record.by_name()
    return {
        name: {
            measure: {
                **msgspec.to_builtins(spread(rounds, measure)),
                "moorline_ratio": msgspec.to_builtins(ratio(by_name.get(OURS, {}), rounds, measure)),
            }
            for measure in MEASURES
        }
        for name, rounds in by_name.items()
        if rounds
    }


def _targets(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "measure": verdict.target.measure,
            "peer": verdict.target.peer,
            "target": verdict.target.text,
            "ratio": verdict.ratio,
            "met": verdict.is_met,
        }
        for verdict in verdicts(record.by_name(), OURS)
    ]


def load_between(record: Record) -> tuple[float, float]:
    """Give the medians of the loads before and after the peers' rounds; zeros if there were none."""
    rounds = [figures for entry in record.entries for figures in entry.rounds.values()]
    if not rounds:
        return 0.0, 0.0
    return (
        statistics.median(figures.load_before for figures in rounds),
        statistics.median(figures.load_after for figures in rounds),
    )


def _cpu() -> str:
    """Give the processor's name, as Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
