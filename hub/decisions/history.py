"""Take samples: what stood when, and what happened since the sample before.

Pure: the meter, the store's counts and the time go in. What was counted before this process began is in samples that
an earlier one took.
"""

from __future__ import annotations

from collections import Counter

from hub.decisions.meter import Histogram, Meter, merged
from hub.decisions.samples import STEP_S, Sample, end_of_step
from hub.store.stats import StoreStats


class Sampler:
    """Makes a sample of each step by difference.

    Args:
        meter: counts from the beginning of this process.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counts: Counter[str] = Counter()
        self._waits = Histogram()
        self._runs = Histogram()

    def take(self, stats: StoreStats, wall_s: float) -> Sample:
        """Give the sample of the step that ends now, or has just ended."""
        counts = self._meter.counts.copy()
        waits, runs = merged(self._meter.waits), merged(self._meter.runs)
        oldest_at = stats.oldest_queued_at
        sample = Sample(
            # A timer is late rather than early: what is taken shortly after the end of a step is of that step.
            at=end_of_step(wall_s - STEP_S / 2, STEP_S),
            step_s=STEP_S,
            queued=stats.tasks.get("queued", 0),
            running=stats.tasks.get("running", 0),
            scheduled=stats.tasks.get("scheduled", 0),
            oldest_queued_s=0.0 if oldest_at is None else round(max(0.0, wall_s - oldest_at), 3),
            nodes_online=stats.nodes.get("online", 0) + stats.nodes.get("draining", 0),
            nodes_away=stats.nodes.get("unreachable", 0),
            submitted=self._since(counts, "submitted"),
            succeeded=self._since(counts, "task.succeeded"),
            failed=self._since(counts, "task.failed"),
            cancelled=self._since(counts, "task.cancelled"),
            expired=self._since(counts, "task.expired"),
            lost=self._since(counts, "task.lost"),
            waits=_buckets(waits.since(self._waits)),
            runs=_buckets(runs.since(self._runs)),
        )
        self._counts, self._waits, self._runs = counts, waits, runs
        return sample

    def _since(self, counts: Counter[str], kind: str) -> int:
        return counts[kind] - self._counts[kind]


def _buckets(histogram: Histogram) -> list[int]:
    return list(histogram.buckets) if histogram.count else []
