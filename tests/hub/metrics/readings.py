"""Readings for tests."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from hub.decisions.meter import Histogram
from hub.decisions.sessions import Fleet
from hub.disk import DiskSpace
from hub.metrics.exposition import text_of
from hub.metrics.reading import Counts, Gauges, Reading
from hub.store.commit_meter import CommitMeter
from hub.store.stats import StoreStats


def reading(**changes: Any) -> Reading:
    """Give a reading of a hub in which everything is there, with these changes."""
    values: dict[str, Any] = {
        "at": 1000.0,
        "hub_id": "h",
        "version": "1",
        "started_at": 900.0,
        "not_ready": 0,
        "degraded": False,
        "suspicious": False,
        "stats": StoreStats(
            tasks={"queued": 3, "running": 1},
            nodes={"online": 2, "unreachable": 1},
            totals={},
            last_event_id=7,
            oldest_queued_at=990.0,
        ),
        "disk": DiskSpace(free_bytes=10, total_bytes=100, database_bytes=5),
        "fleet": Fleet(sessions=2, slots=8, slots_in_use=3, outbox=1),
        "gauges": Gauges(),
        "counts": Counts(requests={("GET", "/v1/tasks/{id}", 200): 5}),
        "waits": {"work": histogram(0.004, 0.2)},
        "runs": {"work": histogram(1.5)},
        "reconnects": Histogram(),
        "loop_lags": Histogram(),
        "commits": CommitMeter(),
    }
    return Reading(**(values | changes))


def histogram(*seconds: float) -> Histogram:
    """Give a histogram of these."""
    made = Histogram()
    for each in seconds:
        made.add(each)
    return made


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read a text as Prometheus does; give values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def shown(**changes: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Write a reading, and read it again."""
    return samples(text_of(reading(**changes)))
