# mypy: ignore-errors
"""pgqueuer on PostgreSQL: `prepare` makes the tables, `worker` runs jobs, `client` measures and prints one JSON line.

Runs in an environment of its own. It keeps a job's end in its log table; its `CompletionWatcher` tells of it. In its
favour: asyncpg, uvloop, one call submits a thousand jobs, a watcher that looks again within a millisecond, and two
queues in the one worker: one that takes batches of 500, and for what is measured one at a time one without batches, for
a batch that is not full waits 100 ms.
"""

import asyncio
import json
import logging
import sys
import time
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.core.completion import CompletionWatcher
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
BODY = json.dumps({"data": "x" * 89}, separators=(",", ":")).encode()
PATIENCE_S = 120
BATCH = 1000


class Caller:
    """Submits jobs and hears of their ends."""

    def __init__(self, queries, watcher):
        self._queries = queries
        self._watcher = watcher

    async def bulk(self, tasks):
        """Submit all; wait for every end."""
        ends = []
        for begin in range(0, tasks, BATCH):
            count = min(BATCH, tasks - begin)
            jobs = await self._queries.enqueue(["noop"] * count, [BODY] * count, [0] * count)
            ends += [self._watcher.wait_for(job) for job in jobs]
        await asyncio.gather(*ends)

    async def single(self):
        """Submit one; wait for its end."""
        (job,) = await self._queries.enqueue("single", BODY)
        await self._watcher.wait_for(job)


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    driver = AsyncpgDriver(await asyncpg.connect(SERVER))
    listening = AsyncpgDriver(await asyncpg.connect(SERVER))
    queries = Queries(driver)
    watch = {"queries": Queries(listening), "debounce": timedelta(milliseconds=1)}
    async with CompletionWatcher(listening, refresh_interval=timedelta(milliseconds=100), **watch) as watcher:
        caller = Caller(queries, watcher)
        await asyncio.wait_for(caller.single(), PATIENCE_S)
        await caller.bulk(warm_up)
        begun = time.perf_counter()
        await caller.bulk(tasks)
        seconds = time.perf_counter() - begun
        times_ms = []
        for number in range(-min(50, singles), singles):
            begun = time.perf_counter()
            await caller.single()
            if number >= 0:
                times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


async def prepare():
    """Make the tables."""
    await Queries(AsyncpgDriver(await asyncpg.connect(SERVER))).install()


async def serve(name, batch):
    """Run the jobs of one queue until it is ended."""
    queuer = PgQueuer(AsyncpgDriver(await asyncpg.connect(SERVER)))

    @queuer.entrypoint(name)
    async def noop(job):
        json.loads(job.payload)

    await queuer.run(batch_size=batch, dequeue_timeout=timedelta(seconds=5))


async def worker():
    """Run jobs until it is ended."""
    logging.disable(logging.INFO)
    await asyncio.gather(serve("noop", 500), serve("single", 1))


if __name__ == "__main__":
    if ROLE == "prepare":
        uvloop.run(prepare())
    elif ROLE == "worker":
        uvloop.run(worker())
    else:
        uvloop.run(client(*map(int, SIZES)))
