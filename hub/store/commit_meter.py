"""What commits cost, and how much each carries. Written by the writer's thread, read by any."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from hub.decisions.meter import Histogram

# Rows of one commit, from one that comes alone to the most that one takes (`hub.store.writer.ROWS_MAX` and more).
ROWS_BOUNDS: Final = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


class CommitMeter:
    """Counts the commits of one writer since it began."""

    __slots__ = ("failures", "operations", "rows", "rows_buckets", "seconds")

    def __init__(self) -> None:
        self.seconds = Histogram()
        """How long each took, the fsync included."""
        self.rows_buckets = [0] * (len(ROWS_BOUNDS) + 1)
        """How many commits had so many rows, by `ROWS_BOUNDS`, not added up; the last one has no upper end."""
        self.rows = 0
        """Rows of all commits: tasks and results, and one for each other operation."""
        self.operations = 0
        """Operations of all commits."""
        self.failures = 0
        """Tries that the store did not take."""

    def committed(self, operations: int, rows: int, seconds: float) -> None:
        """Count a commit."""
        self.seconds.add(seconds)
        self.rows_buckets[bisect_left(ROWS_BOUNDS, rows)] += 1
        self.rows += rows
        self.operations += operations

    def failed(self) -> None:
        """Count a try that was in vain."""
        self.failures += 1
