# mypy: ignore-errors
"""NATS core, request and reply: `worker` answers, `client` measures and prints one JSON line.

Runs in an environment of its own. In its favour: uvloop on both sides, a thousand requests in flight, an empty reply.
"""

import asyncio
import json
import sys
import time

import nats
import uvloop
from nats.errors import NoRespondersError

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
# {"data":"…"} has 11 bytes around its text.
BODY = json.dumps({"data": "x" * 89}, separators=(",", ":")).encode()
IN_FLIGHT = 1000
PATIENCE_S = 120


async def bulk(connection, tasks):
    """Send all requests; wait for every reply."""
    numbers = iter(range(tasks))

    async def caller():
        for _ in numbers:
            await connection.request("noop", BODY, timeout=PATIENCE_S)

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))


async def until_somebody_answers(connection):
    """Wait for the worker."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            await connection.request("noop", BODY, timeout=PATIENCE_S)
        except NoRespondersError:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    connection = await nats.connect(f"nats://{SERVER}")
    await until_somebody_answers(connection)
    await bulk(connection, warm_up)
    begun = time.perf_counter()
    await bulk(connection, tasks)
    seconds = time.perf_counter() - begun
    times_ms = []
    for number in range(-min(50, singles), singles):
        begun = time.perf_counter()
        await connection.request("noop", BODY, timeout=PATIENCE_S)
        if number >= 0:
            times_ms.append((time.perf_counter() - begun) * 1000)
    await connection.close()
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


async def noop(message):
    """Decode, do nothing, and say so."""
    json.loads(message.data)
    await message.respond(b"")


async def worker():
    """Answer until it is ended."""
    connection = await nats.connect(f"nats://{SERVER}")
    await connection.subscribe("noop", cb=noop, pending_msgs_limit=-1, pending_bytes_limit=-1)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(worker() if ROLE == "worker" else client(*map(int, SIZES)))
