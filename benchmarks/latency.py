"""Claim: the time from submit to result, one at a time and at a steady rate.

At a steady rate each time is counted from the moment at which the task was *due* to be submitted, not from when the
client got round to it: a hub that stops for a second is charged for all that should have come in that second. (The
mistake is known as coordinated omission: G. Tene, "How NOT to Measure Latency".)
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.claim import Claim, at_most
from benchmarks.clients import with_client
from benchmarks.handlers import noop
from benchmarks.installation import ONE_OF_EACH, afterwards, conditions, installation
from benchmarks.quantiles import told_ms
from benchmarks.settings import command, setting
from benchmarks.throughput import DATA, PAYLOAD_BYTES
from moorline import Client

WARM_UP_TASKS: Final = 50

# From the thread's start to the first task that is due.
LEAD_S: Final = 0.05

P50_MS_MAX: Final = 2.5
P99_MS_MAX: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    one_at_a_time: int = setting(1000, "Tasks that wait for each other.")
    rate_per_s: float = setting(200.0, "Tasks that are due each second, evenly.")
    seconds: float = setting(30.0, "For how long.")
    slots: int = setting(100, "Slots of the node.")


async def one_at_a_time(client: Client, tasks: int) -> list[float]:
    """Submit a task, wait for its result, and again; give each time in seconds."""
    times_s = []
    for _ in range(tasks):
        begun_s = time.perf_counter()
        handle = await client.submit(noop, data=DATA)
        await handle.result()
        times_s.append(time.perf_counter() - begun_s)
    return times_s


async def at_a_rate(client: Client, tasks: int, rate_per_s: float) -> tuple[list[float], list[float]]:
    """Submit tasks when they are due, whatever has become of those before.

    Returns:
        For each task the seconds from when it was due to its result, and to its submit.
    """
    loop = asyncio.get_running_loop()
    times_s: list[float] = []
    late_s: list[float] = []
    started: list[asyncio.Task[None]] = []
    all_started = asyncio.Event()

    async def carry(due_s: float) -> None:
        late_s.append(time.perf_counter() - due_s)
        handle = await client.submit(noop, data=DATA)
        await handle.result()
        times_s.append(time.perf_counter() - due_s)

    def start(due_s: float) -> None:
        started.append(loop.create_task(carry(due_s)))
        if len(started) == tasks:
            all_started.set()

    beat = threading.Thread(target=_beat, args=(loop, start, tasks, rate_per_s), daemon=True)
    beat.start()
    await all_started.wait()
    beat.join()
    await asyncio.gather(*started)
    return times_s, late_s


def _beat(loop: asyncio.AbstractEventLoop, start: Callable[[float], None], tasks: int, rate_per_s: float) -> None:
    """Tell the loop of each task when it is due. A thread, because the loop's own timers count whole milliseconds."""
    first_s = time.perf_counter() + LEAD_S
    for number in range(tasks):
        due_s = first_s + number / rate_per_s
        time.sleep(max(0.0, due_s - time.perf_counter()))
        loop.call_soon_threadsafe(start, due_s)


def measure(settings: Settings) -> Claim:
    """Measure both after a warm-up."""
    before = conditions()
    with installation(slots=settings.slots) as whole:
        figures = with_client(whole.hub.url, lambda client: _figures(client, settings))
    steady = figures["at_a_rate_ms"]
    name = f"{settings.rate_per_s:g} a second"
    return Claim(
        claim="the time from submit to result",
        figures=figures,
        targets=[
            at_most(f"{name}, p50", P50_MS_MAX, steady["p50"], "ms"),
            at_most(f"{name}, p99", P99_MS_MAX, steady["p99"], "ms"),
        ],
        settings={
            **ONE_OF_EACH,
            "payload_bytes": PAYLOAD_BYTES,
            "arrivals": "even",
            "counted_from": "when due",
            **asdict(settings),
        },
        conditions=afterwards(before),
    )


async def _figures(client: Client, settings: Settings) -> dict[str, Any]:
    await one_at_a_time(client, WARM_UP_TASKS)
    alone_s = await one_at_a_time(client, settings.one_at_a_time)
    tasks = max(1, round(settings.rate_per_s * settings.seconds))
    steady_s, late_s = await at_a_rate(client, tasks, settings.rate_per_s)
    return {
        "one_at_a_time_ms": told_ms(alone_s),
        "at_a_rate_ms": told_ms(steady_s),
        # How far the client itself was behind: part of the time above.
        "submitted_late_ms": told_ms(late_s),
    }


main = command(Settings, measure, "Measure the time from submit to result.")

if __name__ == "__main__":
    main()
