# mypy: ignore-errors
"""Moorline through its public client: `worker` is a node, `client` measures and prints one JSON line.

`SERVER` names both doors of the hub: `http://…,ws://…`.
"""

import asyncio
import json
import os
import sys
import time

import uvloop

from moorline import Client, task

DATA = "x" * 89
SLOTS = "4096"
WINDOW = 8192
PATIENCE_S = 120


@task
async def noop(data: str) -> None:
    """Do nothing."""


async def bulk(client, tasks):
    """Have all done, with a bounded number under way; wait for every result."""
    async for _ in client.map(noop, ({"data": DATA} for _ in range(tasks)), window=WINDOW):
        pass


async def single(client):
    """Submit one; wait for its result."""
    handle = await client.submit(noop, data=DATA)
    await handle.result()


async def measure(url, tasks, singles, warm_up):
    """Measure both after a warm-up."""
    async with Client(url) as client:
        await asyncio.wait_for(single(client), PATIENCE_S)
        await bulk(client, warm_up)
        begun = time.perf_counter()
        await bulk(client, tasks)
        seconds = time.perf_counter() - begun
        times_ms = []
        for number in range(-min(50, singles), singles):
            begun = time.perf_counter()
            await single(client)
            if number >= 0:
                times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


if __name__ == "__main__":
    role, server, folder, *sizes = sys.argv[1:]
    http, node = server.split(",")
    if role == "worker":
        me = ("--node-id", "bench", "--state", f"{folder}/node", "--slots", SLOTS, "--log-level", "warning")
        os.execv(sys.executable, [sys.executable, "run_node.py", "--hub", node, "--app", __file__, *me])
    uvloop.run(measure(http, *map(int, sizes)))
