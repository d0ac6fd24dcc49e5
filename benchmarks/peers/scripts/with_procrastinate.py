# mypy: ignore-errors
"""procrastinate on PostgreSQL: `prepare` makes the tables, `worker` runs jobs, `client` measures.

Runs in an environment of its own; the client prints one JSON line. It keeps no results: what is waited for is the job's
state `succeeded`. In its favour: psycopg with its C speedups, uvloop, a worker with room for many jobs and
notifications, one batch call submits a thousand, one query at a time asks whether any is not finished.
"""

import asyncio
import json
import logging
import sys
import time

import uvloop
from procrastinate import App, PsycopgConnector

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
DATA = "x" * 89
PATIENCE_S = 120
BATCH = 1000
CONCURRENCY = 20

app = App(connector=PsycopgConnector(conninfo=SERVER, min_size=4, max_size=CONCURRENCY + 4))
UNFINISHED = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS any"


@app.task(name="noop")
async def noop(data):
    """Do nothing."""


async def bulk(tasks):
    """Submit all; wait until none is unfinished."""
    for begin in range(0, tasks, BATCH):
        await noop.batch_defer_async(*({"data": DATA} for _ in range(min(BATCH, tasks - begin))))
    while (await app.connector.execute_query_one_async(UNFINISHED))["any"]:  # noqa: ASYNC110 - the state is in a database
        await asyncio.sleep(0.005)


async def single():
    """Submit one; wait until it is not unfinished."""
    number = await noop.defer_async(data=DATA)
    while (await app.job_manager.get_job_status_async(number)).value != "succeeded":  # noqa: ASYNC110
        await asyncio.sleep(0.0005)


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    async with app.open_async():
        await asyncio.wait_for(single(), PATIENCE_S)
        await bulk(warm_up)
        begun = time.perf_counter()
        await bulk(tasks)
        seconds = time.perf_counter() - begun
        times_ms = []
        for number in range(-min(50, singles), singles):
            begun = time.perf_counter()
            await single()
            if number >= 0:
                times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


async def prepare():
    """Make the tables."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def worker():
    """Run jobs until it is ended."""
    logging.disable(logging.INFO)
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="never", listen_notify=True)


if __name__ == "__main__":
    if ROLE == "prepare":
        uvloop.run(prepare())
    elif ROLE == "worker":
        uvloop.run(worker())
    else:
        uvloop.run(client(*map(int, SIZES)))
