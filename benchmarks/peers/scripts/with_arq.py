# mypy: ignore-errors
"""arq on Redis: `worker` runs the worker, `client` measures and prints one JSON line.

Runs in an environment of its own. In its favour: uvloop on both sides, polls every 2 ms instead of every half second,
many jobs at once, many callers submit and ask for results at once, in the order of submission.
"""

import asyncio
import json
import logging
import sys
import time

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker, func

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
DATA = "x" * 89
CALLERS = 20
PATIENCE_S = 120

HOST, PORT = SERVER.split(":")
SETTINGS = RedisSettings(host=HOST, port=int(PORT))


async def noop(ctx, data):
    """Do nothing."""


async def by_many(tasks, verb):
    """Let `CALLERS` coroutines do `verb` until `tasks` have been done; give what it gave, in order."""
    given = [None] * tasks
    numbers = iter(range(tasks))

    async def caller():
        for number in numbers:
            given[number] = await verb(number)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return given


async def bulk(redis, tasks):
    """Submit all; wait for every result."""
    jobs = await by_many(tasks, lambda _: redis.enqueue_job("noop", DATA))
    await by_many(tasks, lambda number: jobs[number].result(timeout=PATIENCE_S, poll_delay=0.002))


async def single(redis):
    """Submit one; wait for its result."""
    job = await redis.enqueue_job("noop", DATA)
    await job.result(timeout=PATIENCE_S, poll_delay=0.0005)


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    redis = await create_pool(SETTINGS)
    await single(redis)
    await bulk(redis, warm_up)
    begun = time.perf_counter()
    await bulk(redis, tasks)
    seconds = time.perf_counter() - begun
    times_ms = []
    for number in range(-min(50, singles), singles):
        begun = time.perf_counter()
        await single(redis)
        if number >= 0:
            times_ms.append((time.perf_counter() - begun) * 1000)
    await redis.aclose()
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


async def worker():
    """Run the worker until it is ended."""
    logging.disable(logging.INFO)
    await Worker(
        [func(noop, name="noop")], redis_settings=SETTINGS, max_jobs=100, poll_delay=0.002, keep_result=600
    ).async_run()


if __name__ == "__main__":
    uvloop.run(worker() if ROLE == "worker" else client(*map(int, SIZES)))
