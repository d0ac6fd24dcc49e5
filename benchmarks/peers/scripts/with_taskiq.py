# mypy: ignore-errors
"""Taskiq on Redis: `worker` runs the worker, `client` measures and prints one JSON line.

Runs in an environment of its own. In its favour: the list broker, its fastest (the stream broker acknowledges, and
costs more); one worker process with uvloop and room for many tasks at once; orjson for messages; results are asked for
in the order of submission by many askers at once, so that most are there when they are asked for.
"""

import asyncio
import json
import os
import sys
import time

import uvloop
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

ROLE, SERVER, FOLDER, *SIZES = sys.argv[1:] if __name__ == "__main__" else ("", os.environ["PEER_SERVER"], "")
DATA = "x" * 89
CALLERS = 50
PATIENCE_S = 120

results = RedisAsyncResultBackend(f"redis://{SERVER}/1", result_ex_time=3600, serializer=ORJSONSerializer())
broker = ListQueueBroker(f"redis://{SERVER}/0").with_result_backend(results).with_serializer(ORJSONSerializer())


@broker.task(task_name="noop")
async def noop(data: str) -> None:
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


async def bulk(tasks):
    """Submit all; wait for every result."""
    sent = await by_many(tasks, lambda _: noop.kiq(DATA))
    await by_many(tasks, lambda number: sent[number].wait_result(check_interval=0.002, timeout=PATIENCE_S))


async def single():
    """Submit one; wait for its result."""
    await (await noop.kiq(DATA)).wait_result(check_interval=0.0005, timeout=PATIENCE_S)


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    await broker.startup()
    await single()
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
    await broker.shutdown()
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


if __name__ == "__main__":
    if ROLE == "worker":
        os.environ["PEER_SERVER"] = SERVER
        here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
        sizes = ("--workers", "1", "--max-async-tasks", "200", "--max-prefetch", "200")
        command = ("worker", "with_taskiq:broker", "--app-dir", here, *sizes, "--no-parse", "--log-level", "ERROR")
        os.execv(sys.executable, [sys.executable, "-m", "taskiq", *command])
    uvloop.run(client(*map(int, SIZES)))
