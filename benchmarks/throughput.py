"""Claim: tasks per second in bulk, and the time from submit to result one at a time; every task durable.

One hub, one node, one client, each a process of its own. ``python -m benchmarks.throughput`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time
from typing import Any

import click
import orjson

from benchmarks.handlers import noop
from benchmarks.installation import conditions, installation
from moorline import Client

SLOTS = 1000
PAYLOAD_BYTES = 100
# {"data":"…"} has 11 bytes around its text.
DATA = "x" * (PAYLOAD_BYTES - 11)


async def bulk(client: Client, tasks: int) -> float:
    """Submit ``tasks`` no-ops at once and wait for every outcome; give tasks per second."""
    begun = time.perf_counter()
    handles = await client.submit_many(noop, ({"data": DATA} for _ in range(tasks)))
    async for handle in client.as_completed(handles):
        await handle.result()
    return tasks / (time.perf_counter() - begun)


async def one_at_a_time(client: Client, tasks: int) -> list[float]:
    """Submit a task, wait for its result, and again; give each time in ms."""
    times = []
    for _ in range(tasks):
        begun = time.perf_counter()
        handle = await client.submit(noop, data=DATA)
        await handle.result()
        times.append((time.perf_counter() - begun) * 1000)
    return times


async def measure(url: str, tasks: int, rounds: int) -> dict[str, Any]:
    """Measure both after a warm-up."""
    async with Client(url) as client:
        await bulk(client, min(tasks, 2000))
        await one_at_a_time(client, 50)
        rates = [await bulk(client, tasks) for _ in range(rounds)]
        times = sorted(await one_at_a_time(client, 1000 if tasks >= 20_000 else 50))
    return {
        "tasks_per_s": round(statistics.median(rates)),
        "tasks_per_s_rounds": [round(rate) for rate in rates],
        "rtt_ms": {
            "p50": round(times[len(times) // 2], 2),
            "p99": round(times[int(len(times) * 0.99)], 2),
            "n": len(times),
        },
    }


@click.command()
@click.option("--tasks", default=20_000, show_default=True, help="No-op tasks in each round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of the bulk measurement; the median counts.")
@click.option("--slots", default=SLOTS, show_default=True, help="Slots of the node.")
@click.option("--durability", type=click.Choice(["full", "normal"]), default="full", show_default=True)
def main(tasks: int, rounds: int, slots: int, durability: str) -> None:
    """Print one JSON object with the figures and the settings."""
    settings = {
        "tasks": tasks,
        "payload_bytes": PAYLOAD_BYTES,
        "hubs": 1,
        "nodes": 1,
        "slots": slots,
        "clients": 1,
        "durability": durability,
    }
    before = conditions()
    with installation(slots=slots, durability=durability) as url:
        figures = _run(measure(url, tasks, rounds))
    sys.stdout.buffer.write(orjson.dumps({**figures, "settings": settings, **before}) + b"\n")


def _run(coroutine: Any) -> Any:
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415  # where it installs

        return uvloop.run(coroutine)
    return asyncio.run(coroutine)


if __name__ == "__main__":
    main()
