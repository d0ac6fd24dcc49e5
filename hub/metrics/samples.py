"""How samples are taken from a reading: what the table of metrics is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from hub.decisions.meter import OTHER, Histogram, merged
from hub.metrics.metric import Distribution, Labels, distribution
from hub.metrics.reading import Reading

Samples: TypeAlias = Iterable[tuple[Labels, float | Distribution]]

# Names with series of their own, the first that come; the others share one. A name is 27 lines of up to 200 bytes.
NAMES_MAX: Final = 100


def one(read: Callable[[Reading], float]) -> Callable[[Reading], Samples]:
    """Make a metric of one value."""
    return lambda reading: [((), read(reading))]


def by_prefix(counts: Callable[[Reading], Mapping[str, int]], prefix: str, *known: str) -> Callable[[Reading], Samples]:
    """Make one label of what follows the prefix; ``known`` values are there from the start, at 0."""

    def read(reading: Reading) -> Samples:
        found = {name.removeprefix(prefix): n for name, n in counts(reading).items() if name.startswith(prefix)}
        return [((name,), count) for name, count in (dict.fromkeys(known, 0) | found).items()]

    return read


def core_counts(reading: Reading) -> Mapping[str, int]:
    """Give what the core counts."""
    return reading.counts.core


def gateway_counts(reading: Reading) -> Mapping[str, int]:
    """Give what the gateway counts."""
    return reading.counts.gateway


def event_counts(reading: Reading) -> Mapping[str, int]:
    """Give the committed events by kind."""
    return reading.counts.events


def tasks_by_state(reading: Reading) -> Samples:
    """Count the tasks in the store."""
    return [] if reading.stats is None else [((state,), count) for state, count in reading.stats.tasks.items()]


def nodes_by_state(reading: Reading) -> Samples:
    """Count the nodes in the store."""
    return [] if reading.stats is None else [((state,), count) for state, count in reading.stats.nodes.items()]


def oldest_age(reading: Reading) -> Samples:
    """Give the age of the task that has been queued longest."""
    if reading.stats is None:
        return []
    oldest_at = reading.stats.oldest_queued_at
    return [((), 0.0 if oldest_at is None else max(0.0, reading.at - oldest_at))]


def by_name(histograms: Mapping[str, Histogram]) -> Samples:
    """Show histograms by task name, as many as have series of their own."""
    own = dict(list(histograms.items())[:NAMES_MAX])
    rest = merged({name: histogram for name, histogram in histograms.items() if name not in own})
    if OTHER in own:
        rest.merge(own.pop(OTHER))
    shown = [((name,), distribution(histogram)) for name, histogram in own.items()]
    return [*shown, ((OTHER,), distribution(rest))] if rest.count else shown


def failures(reading: Reading) -> Samples:
    """Count by the names that have series of their own in `task_run_seconds`."""
    own = [name for name in list(reading.runs)[:NAMES_MAX] if name != OTHER]
    shown: list[tuple[Labels, float]] = [((name,), reading.failures.get(name, 0)) for name in own]
    if len(own) < len(reading.runs):
        shown.append(((OTHER,), sum(n for name, n in reading.failures.items() if name not in own)))
    return shown


def registrations(reading: Reading) -> Samples:
    """Count the answers to `register` and `resume`."""
    counts = reading.counts.core
    names = {"registered": "registrations", "resumed": "resumptions", "unknown_session": "unknown_sessions"}
    return [((kind,), counts.get(name, 0)) for kind, name in names.items()]


def requests(reading: Reading) -> Samples:
    """Count the answers of the API."""
    return [((method, route, str(status)), n) for (method, route, status), n in reading.counts.requests.items()]


def alerts_by_severity(reading: Reading) -> Samples:
    """Count the alerts that fire."""
    gauges = reading.gauges
    return [(("critical",), gauges.alerts_critical), (("warning",), gauges.alerts_firing - gauges.alerts_critical)]


def certificate(reading: Reading) -> Samples:
    """Give when the certificate runs out."""
    at = reading.certificate_expires_at
    return [] if at is None else [((), at)]


def of_disk(field: str) -> Callable[[Reading], Samples]:
    """Make a metric of a field of the disk."""
    return lambda reading: [] if reading.disk is None else [((), getattr(reading.disk, field))]
