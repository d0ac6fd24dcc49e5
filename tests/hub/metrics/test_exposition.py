from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable

import pytest

from hub.metrics import exposition
from hub.metrics.exposition import Exposition, text_of
from hub.metrics.metric import Labels, Metric
from hub.metrics.reading import ChannelReading, Counts, Reading
from hub.metrics.samples import NAMES_MAX
from hub.metrics.table import METRICS
from tests.hub.metrics.readings import histogram, reading, samples, shown


class Hub:
    """Gives readings, and counts them."""

    def __init__(self) -> None:
        self.readings = 0
        self.now_s = 0.0
        self.exposition = Exposition(self.read, clock=lambda: self.now_s)

    async def read(self) -> Reading:
        self.readings += 1
        return reading(started_at=float(self.readings))


async def test_a_text_is_kept_for_a_second() -> None:
    hub = Hub()
    first = await hub.exposition.text()
    hub.now_s = 0.9
    assert await hub.exposition.text() == first
    hub.now_s = 1.0
    assert await hub.exposition.text() != first
    assert hub.readings == 2


async def test_whoever_comes_at_once_is_given_the_same_text() -> None:
    hub = Hub()
    texts = await asyncio.gather(*(hub.exposition.text() for _ in range(10)))
    assert (len(set(texts)), hub.readings) == (1, 1)


async def test_who_gives_up_leaves_the_others_their_text() -> None:
    hub = Hub()
    impatient = asyncio.ensure_future(hub.exposition.text())
    await asyncio.sleep(0)
    impatient.cancel()
    assert b"moorline_hub_info" in await hub.exposition.text()


async def test_readings_are_taken_on_the_loop_and_texts_made_on_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[threading.Thread] = []

    def noting(_: Reading) -> Iterable[tuple[Labels, float]]:
        threads.append(threading.current_thread())
        return [((), 1.0)]

    read: Callable[[Reading], Iterable[tuple[Labels, float]]] = noting
    monkeypatch.setattr(exposition, "METRICS", (Metric(name="x", kind="gauge", about="X.", read=read),))
    assert samples(await Hub().exposition.text())["moorline_x", ()] == 1.0
    assert threads
    assert threading.current_thread() not in threads


def test_every_metric_of_the_table_is_in_the_text() -> None:
    there = shown(channels=[ChannelReading(name="c", waiting=0, failures=0)], certificate_expires_at=1.0)
    names = {name for name, _ in there}
    for metric in METRICS:
        suffix = "_count" if metric.kind == "histogram" else ""
        assert metric.exported + suffix in names


def test_the_process_is_in_the_text() -> None:
    values = shown()
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert values[name, ()] > 0


def test_the_most_that_a_hub_can_show_is_below_a_megabyte() -> None:
    names = {f"{number:03}".ljust(128, "n"): histogram(1.0) for number in range(2 * NAMES_MAX)}
    routes = {("GET", f"/v1/{number}/{{id}}", status): 10**9 for number in range(40) for status in range(200, 208)}
    text = text_of(reading(waits=names, runs=names, counts=Counts(requests=routes)))
    assert len(text) < 1_000_000
