"""Steady work from a process of its own: tasks at an even rate, for as long as a measurement wants it.

``python -m benchmarks.steady_work URL RATE`` submits until it is killed, and prints a line for each hundred results.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.claim import print_json
from benchmarks.handlers import noop
from benchmarks.process import Process
from benchmarks.throughput import DATA
from moorline import Client
from node.event_loops import new_event_loop

FLOWS_WITHIN_S: Final = 30.0

TOLD_EVERY: Final = 100

# Tasks that wait for their results: a hub that stands still for so long is none that is measured.
UNDER_WAY_MAX: Final = 10_000


async def submit_for_ever(url: str, rate_per_s: float) -> None:
    """Submit a task when it is due, whatever has become of those before."""
    loop = asyncio.get_running_loop()
    under_way = asyncio.Semaphore(UNDER_WAY_MAX)
    done = 0
    async with Client(url) as client, asyncio.TaskGroup() as group:

        async def carry() -> None:
            nonlocal done
            async with under_way:
                handle = await client.submit(noop, data=DATA)
                await handle.result()
            done += 1
            if done % TOLD_EVERY == 0:
                print_json({"done": done})

        due_s = loop.time()
        while True:
            due_s += 1 / rate_per_s
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            group.create_task(carry())


@contextmanager
def steady_work(url: str, rate_per_s: float, folder: Path) -> Iterator[Process]:
    """Start it and wait until results come; end it.

    Raises:
        RuntimeError: none comes in time.
    """
    process = Process("steady-work", folder, ["-m", "benchmarks.steady_work", url, str(rate_per_s)])
    try:
        process.start()
        process.wait_for(process.lines, "results", FLOWS_WITHIN_S)
        yield process
    finally:
        process.kill()


def main() -> None:
    """Submit until the end."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(submit_for_ever(sys.argv[1], float(sys.argv[2])))


if __name__ == "__main__":
    main()
