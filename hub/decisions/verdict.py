"""Whether a hub and its fleet are well, in a word, with the reasons: what the person on call reads first.

Pure: what is stored, what the hub knows of itself, and the time go in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from hub.store.stats import StoreStats

Level: TypeAlias = Literal["ok", "degraded", "critical"]

# A task that waits longer than this is worth a word. Queues of batch work are deep on purpose, and their owners watch
# them by alerts with thresholds of their own.
OLDEST_WAITS_S: Final = 60.0


About: TypeAlias = Literal["store", "hub", "alerts", "nodes", "queue"]
"""Where to look: the hub's own store, the hub itself, its alerts, the nodes that are away, or the tasks that wait."""


class Finding(Struct, frozen=True):
    """One thing that is not as it should be."""

    level: Level
    about: About
    text: str


class Verdict(Struct, frozen=True, kw_only=True):
    """``level`` is that of the worst reason; ``reasons`` are sentences, worst first; none if all is well. ``findings``
    are the same with the level of each and where to look.
    """

    level: Level
    reasons: list[str]
    findings: list[Finding]


_ORDER: Final[dict[Level, int]] = {"critical": 0, "degraded": 1, "ok": 2}


def verdict(stats: StoreStats, own: Sequence[Finding], wall_s: float) -> Verdict:
    """Judge the fleet by what is stored, and add what the hub knows of itself."""
    found = sorted([*own, *_of_fleet(stats, wall_s)], key=lambda finding: _ORDER[finding.level])
    return Verdict(level=found[0].level if found else "ok", reasons=[one.text for one in found], findings=found)


def of_hub(degraded: str | None, *, stopping: bool, suspicious: bool, firing: int, critical: int) -> list[Finding]:
    """Give what a hub finds in itself.

    Args:
        degraded: why its store takes no commits, None if it does.
        stopping: whether it is on its way down.
        suspicious: whether so many nodes are silent at once that it suspects itself.
        firing: how many alerts fire.
        critical: how many of them are critical.
    """
    found: list[Finding] = []
    if degraded is not None:
        found.append(Finding("critical", "store", f"the store takes no commits: {degraded}"))
    if stopping:
        found.append(Finding("degraded", "hub", "the hub is stopping"))
    if suspicious:
        found.append(Finding("critical", "nodes", "so many nodes are silent at once that the fault may be here"))
    if critical:
        found.append(Finding("critical", "alerts", f"{_counted(critical, 'critical alert')} firing"))
    if firing > critical:
        found.append(Finding("degraded", "alerts", f"{_counted(firing - critical, 'alert')} firing"))
    return found


def _of_fleet(stats: StoreStats, wall_s: float) -> list[Finding]:
    found: list[Finding] = []
    away = stats.nodes.get("unreachable", 0)
    here = stats.nodes.get("online", 0)
    queued = stats.tasks.get("queued", 0)
    if queued and not here:
        wait = "1 task waits" if queued == 1 else f"{queued} tasks wait"
        found.append(Finding("critical", "nodes", f"no node is online, and {wait}"))
    if away:
        found.append(Finding("degraded", "nodes", f"{_counted(away, 'node')} unreachable"))
    if stats.oldest_queued_at is not None and wall_s - stats.oldest_queued_at > OLDEST_WAITS_S:
        found.append(Finding("degraded", "queue", f"oldest task waits {duration(wall_s - stats.oldest_queued_at)}"))
    return found


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """Write a duration with its two largest units: ``4m 12s``, ``3h 05m``, ``2d 07h``."""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"
