from __future__ import annotations

import asyncio

import pytest

from hub.events.feed import EventFeed
from hub.events.filter import EventFilter
from hub.pulse import Pulse
from hub.store.errors import StoreUnavailableError


async def test_a_pulse_is_measured_once_for_all_who_asked_for_it_and_sent_to_nobody_else() -> None:
    feed = EventFeed()
    listeners = [feed.subscribe(EventFilter(kinds=kinds)) for kinds in [("hub",), ("node", "hub.pulse")]]
    others = [feed.subscribe(EventFilter(kinds=kinds)) for kinds in [(), ("node",)]]
    for subscription in (*listeners, *others):
        subscription.follow(0)
    measured = 0

    async def measure() -> bytes:
        nonlocal measured
        measured += 1
        return b'{"kind":"hub.pulse"}'

    pulse = Pulse(feed, measure)
    pulse.start()
    pulse.start()
    for subscription in listeners:
        assert await subscription.wait(10)
    pulse.stop()
    pulse.stop()
    assert measured == 1
    assert [subscription.take() for subscription in listeners] == [b'data: {"kind":"hub.pulse"}\n\n'] * 2
    assert [subscription.take() for subscription in others] == [b"", b""]


async def test_nothing_is_measured_while_nobody_listens() -> None:
    feed = EventFeed()
    subscription = feed.subscribe(EventFilter(kinds=("hub",)))
    subscription.follow(0)
    subscription.close()
    asked = asyncio.Event()

    async def measure() -> bytes:
        asked.set()
        return b"{}"

    pulse = Pulse(feed, measure)
    pulse.start()
    # The first beat comes with the first turn of the loop.
    for _ in range(5):
        await asyncio.sleep(0)
    pulse.stop()
    assert not asked.is_set()


@pytest.mark.parametrize("failure", [StoreUnavailableError("busy"), RuntimeError("a bug")])
async def test_what_cannot_be_measured_costs_a_beat_and_not_the_pulse(failure: Exception) -> None:
    feed = EventFeed()
    subscription = feed.subscribe(EventFilter(kinds=("hub",)))
    subscription.follow(0)
    failures = [failure]

    async def measure() -> bytes:
        if failures:
            raise failures.pop()
        return b"{}"

    pulse = Pulse(feed, measure)
    pulse.start()
    assert await subscription.wait(10)
    pulse.stop()
    assert subscription.take() == b"data: {}\n\n"
