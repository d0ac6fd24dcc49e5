# mypy: ignore-errors
"""NATS JetStream: `prepare` makes the streams, `worker` runs tasks, `client` measures and prints one JSON line.

Runs in an environment of its own. A task is a message in a file-backed work queue; its result is a message in a second
stream, so that a result outlives the worker and the client. The worker acknowledges a task when its result is stored.
With the variant `replies` results are plain messages instead, which nobody stores. In its favour: uvloop, asynchronous
publishing, fetches of up to 500, the worker fetches on while earlier batches are being acknowledged, results are pushed
to the client without acknowledgements.
"""

import asyncio
import itertools
import json
import os
import sys
import time

import nats
import uvloop
from nats.errors import TimeoutError as NothingYet
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
BODY = json.dumps({"data": "x" * 89}, separators=(",", ":")).encode()
STORES_RESULTS = os.environ.get("PEER_VARIANT") != "replies"
BATCH = 500
BATCHES_AT_ONCE = 4
PATIENCE_S = 120

NUMBER_BYTES = 8


class Caller:
    """Submits tasks and hears of their results."""

    def __init__(self, connection):
        self._connection = connection
        self._stream = connection.jetstream()
        self._numbers = itertools.count()
        self._waiting = {}

    async def open(self):
        """Listen to the results to come."""
        without_limits = {"cb": self._hear, "pending_msgs_limit": -1, "pending_bytes_limit": -1}
        if STORES_RESULTS:
            config = ConsumerConfig(ack_policy=AckPolicy.NONE)
            await self._stream.subscribe("results", config=config, **without_limits)
        else:
            await self._connection.subscribe("results", **without_limits)

    async def _hear(self, message):
        # A task that was delivered twice has two results.
        if (waiting := self._waiting.pop(message.data[:NUMBER_BYTES], None)) is not None:
            waiting.set_result(None)

    def _next(self):
        number = next(self._numbers).to_bytes(NUMBER_BYTES, "big")
        result = self._waiting[number] = asyncio.get_running_loop().create_future()
        return number + BODY, result

    async def single(self):
        """Submit one; wait until it is stored, and for its result."""
        body, result = self._next()
        await self._stream.publish("tasks", body, timeout=PATIENCE_S)
        await result

    async def bulk(self, tasks):
        """Submit all; wait until all are stored, and for every result."""
        stored, results = [], []
        for _ in range(tasks):
            body, result = self._next()
            stored.append(await self._stream.publish_async("tasks", body))
            results.append(result)
        await asyncio.gather(*stored)
        await asyncio.gather(*results)


async def prepare():
    """Make both streams, and the consumer of the tasks."""
    connection = await nats.connect(f"nats://{SERVER}")
    stream = connection.jetstream()
    await stream.add_stream(
        name="TASKS", subjects=["tasks"], retention=RetentionPolicy.WORK_QUEUE, storage=StorageType.FILE
    )
    if STORES_RESULTS:
        await stream.add_stream(name="RESULTS", subjects=["results"], storage=StorageType.FILE)
    await stream.add_consumer("TASKS", ConsumerConfig(durable_name="worker", max_ack_pending=BATCH * BATCHES_AT_ONCE))
    await connection.close()


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    connection = await nats.connect(f"nats://{SERVER}")
    caller = Caller(connection)
    await caller.open()
    await caller.single()
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
    await connection.close()
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


async def run(connection, stream, messages, room):
    """Decode and do nothing; store the results; acknowledge what they came from."""
    stored = []
    for message in messages:
        json.loads(message.data[NUMBER_BYTES:])
        result = message.data[:NUMBER_BYTES] + b"null"
        if STORES_RESULTS:
            stored.append(await stream.publish_async("results", result))
        else:
            await connection.publish("results", result)
    await asyncio.gather(*stored)
    for message in messages:
        await message.ack()
    room.release()


async def worker():
    """Fetch and run until it is ended."""
    connection = await nats.connect(f"nats://{SERVER}")
    stream = connection.jetstream()
    tasks = await stream.pull_subscribe_bind("worker", stream="TASKS")
    room = asyncio.Semaphore(BATCHES_AT_ONCE)
    running = set()
    while True:
        await room.acquire()
        try:
            messages = await tasks.fetch(BATCH, timeout=5)
        except NothingYet:
            room.release()
            continue
        batch = asyncio.create_task(run(connection, stream, messages, room))
        running.add(batch)
        batch.add_done_callback(running.discard)


if __name__ == "__main__":
    if ROLE == "prepare":
        uvloop.run(prepare())
    elif ROLE == "worker":
        uvloop.run(worker())
    else:
        uvloop.run(client(*map(int, SIZES)))
