"""What commits tell about the work: how many of each kind, how fast, how long tasks waited and ran.

No I/O and no clock: it is handed each commit and the time. Counts begin with the process; whoever keeps them longer
looks twice and keeps the difference (`Histogram.since`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from hub.store.contract import Committed

# Upper ends of the buckets, in seconds: a millisecond to a day, closest where most tasks are.
BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0),
)

# Names with histograms of their own: each costs two, some 400 bytes. What comes later is counted as one.
NAMES_MAX: Final = 200
OTHER: Final = "(other)"

# Rates are means over this long: steady enough to read, and a change is seen at the next look.
RATES_OVER_S: Final = 10


class Histogram:
    """How many seconds things took, in buckets. Grows only."""

    __slots__ = ("buckets", "count", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        """How many fell in each bucket, not added up; the last one has no upper end."""
        self.count = 0
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.count += 1
        self.sum_s += seconds

    def merge(self, other: Histogram) -> None:
        """Add all that another one has counted."""
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.count += other.count
        self.sum_s += other.sum_s

    def copy(self) -> Histogram:
        """Give one that stays as this one is now."""
        made = Histogram()
        made.merge(self)
        return made

    def since(self, earlier: Histogram) -> Histogram:
        """Give what was added since ``earlier``, an older copy of this one."""
        made = Histogram()
        made.buckets = [now - then for now, then in zip(self.buckets, earlier.buckets, strict=True)]
        made.count = self.count - earlier.count
        made.sum_s = self.sum_s - earlier.sum_s
        return made

    def quantile(self, share: float) -> float | None:
        """Give the seconds below which this share (0 to 1) lies, drawn evenly within a bucket; None if it is empty."""
        if self.count == 0:
            return None
        wanted, seen, low = share * self.count, 0, 0.0
        for high, inside in zip((*BOUNDS_S, BOUNDS_S[-1]), self.buckets, strict=True):
            if inside and seen + inside >= wanted:
                return low + (high - low) * (wanted - seen) / inside
            seen += inside
            low = high
        return BOUNDS_S[-1]


class Rates(Struct, frozen=True, kw_only=True):
    """Per second, over the last `RATES_OVER_S` seconds. ``finished`` counts every final state; ``started`` and
    ``failed`` count attempts that began, and tasks that failed for good.
    """

    submitted: float = 0.0
    started: float = 0.0
    succeeded: float = 0.0
    failed: float = 0.0
    finished: float = 0.0


class Meter:
    """Counts what was committed since this process began."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Events by kind, and ``submitted``: tasks that were accepted."""
        self.waits: dict[str, Histogram] = {}
        """Seconds from submit to the first start, by task name."""
        self.runs: dict[str, Histogram] = {}
        """Run times of results, by task name."""
        self.failures: Counter[str] = Counter()
        """Attempts that failed, by task name as in ``runs``."""
        # ``(second, counts at its beginning)``: of the seconds that rates look back over, and one before them.
        self._seconds: deque[tuple[int, Counter[str]]] = deque()
        self._began_s: float | None = None

    def take(self, committed: Committed, now_s: float) -> None:
        """Count a commit. ``now_s``: on a clock that does not jump, the same for all calls."""
        self._turn(now_s)
        self.counts.update([event.kind for event in committed.events])
        self.counts["submitted"] += committed.accepted
        _add(self.waits, committed.waits)
        _add(self.runs, committed.runs)
        for name in committed.failed:
            self.failures[name if name in self.runs else OTHER] += 1

    def rates(self, now_s: float) -> Rates:
        """Give what happened per second of late."""
        self._turn(now_s)
        if not self._seconds or self._began_s is None:
            return Rates()
        second, earlier = self._seconds[0]
        over_s = max(1.0, min(now_s - self._began_s, now_s - second, RATES_OVER_S))
        per_second = {kind: (count - earlier[kind]) / over_s for kind, count in self.counts.items()}
        finals = ("task.succeeded", "task.failed", "task.cancelled", "task.expired", "task.lost")
        return Rates(
            submitted=per_second.get("submitted", 0.0),
            started=per_second.get("task.running", 0.0),
            succeeded=per_second.get("task.succeeded", 0.0),
            failed=per_second.get("task.failed", 0.0),
            finished=sum(per_second.get(kind, 0.0) for kind in finals),
        )

    def _turn(self, now_s: float) -> None:
        """Keep how things stood when this second began, and when the last one ended in which something was counted."""
        if self._began_s is None:
            self._began_s = now_s
        second = int(now_s)
        newest = self._seconds[-1][0] if self._seconds else second - 1
        if newest < second:
            self._seconds.extend((begun, self.counts.copy()) for begun in sorted({newest + 1, second}))
        while len(self._seconds) > 1 and self._seconds[1][0] <= second - RATES_OVER_S:
            self._seconds.popleft()


def _add(histograms: dict[str, Histogram], measured: Sequence[tuple[str, float]]) -> None:
    for name, seconds in measured:
        histogram = histograms.get(name)
        if histogram is None:
            kept = name if len(histograms) < NAMES_MAX else OTHER
            histogram = histograms.setdefault(kept, Histogram())
        histogram.add(seconds)


def merged(histograms: Mapping[str, Histogram]) -> Histogram:
    """Give all names together."""
    made = Histogram()
    for histogram in histograms.values():
        made.merge(histogram)
    return made
