"""The text that Prometheus scrapes: made at most once a second, on another thread.

Nothing is counted here and nothing is kept: each text is made from a reading of what the hub counts anyway, so a hub
that nobody scrapes pays nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from time import monotonic
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from hub.metrics.metric import PREFIX, Distribution, Metric
from hub.metrics.reading import Reading
from hub.metrics.table import METRICS

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

# Several that scrape the same hub, or a person who reloads, cost as much as one.
KEPT_S: Final = 1.0


class Exposition:
    """Gives the text.

    Args:
        read: takes a reading, on the event loop.
        clock: gives a time that does not jump.
    """

    def __init__(self, read: Callable[[], Awaitable[Reading]], clock: Callable[[], float] = monotonic) -> None:
        self._read = read
        self._clock = clock
        self._turn = asyncio.Lock()
        self._text = b""
        self._made_s: float | None = None

    async def text(self) -> bytes:
        """Give the text, at most `KEPT_S` old; whoever comes meanwhile waits for the same one."""
        async with self._turn:
            now_s = self._clock()
            if self._made_s is None or now_s - self._made_s >= KEPT_S:
                reading = await self._read()
                self._text = await asyncio.to_thread(text_of, reading)
                self._made_s = now_s
            return self._text


def text_of(reading: Reading) -> bytes:
    """Write a reading in the text format 0.0.4. Takes milliseconds for each thousand series: not for the event loop."""
    return generate_latest(_Moment(reading))


class _Moment(Collector):
    """A collector of one reading, and of what the system says of this process."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Family]:
        """Give every family."""
        for metric in METRICS:
            yield family(metric, self._reading)
        process: Iterable[Family] = ProcessCollector(registry=None).collect()
        yield from process


def family(metric: Metric, reading: Reading) -> Family:
    """Take one metric's samples from a reading."""
    name = PREFIX + metric.name
    match metric.kind:
        case "histogram":
            histogram = HistogramMetricFamily(name, metric.about, labels=metric.labels)
            for labels, value in metric.read(reading):
                if isinstance(value, Distribution):
                    histogram.add_metric(labels, buckets=value.buckets, sum_value=value.total)
            return histogram
        case "gauge":
            made: GaugeMetricFamily | CounterMetricFamily = GaugeMetricFamily(name, metric.about, labels=metric.labels)
        case "counter":
            made = CounterMetricFamily(name, metric.about, labels=metric.labels)
    for labels, value in metric.read(reading):
        if not isinstance(value, Distribution):
            made.add_metric(labels, value)
    return made
