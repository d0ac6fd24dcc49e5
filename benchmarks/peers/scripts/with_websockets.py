# mypy: ignore-errors
"""Bare websockets, the floor of the wire: one connection, a message for each task, and its echo.

Runs in an environment of its own. `server` echoes, `client` measures and prints one JSON line. uvloop, no compression,
no limit on what is in flight but the sockets' own.
"""

import asyncio
import json
import sys
import time

import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
HOST, PORT = SERVER.split(":")
TEXT = json.dumps({"data": "x" * 89}, separators=(",", ":"))


async def bulk(connection, tasks):
    """Send all; wait for every echo."""

    async def send():
        for _ in range(tasks):
            await connection.send(TEXT)

    sending = asyncio.create_task(send())
    for _ in range(tasks):
        await connection.recv()
    await sending


async def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    async with connect(f"ws://{SERVER}", compression=None) as connection:
        await bulk(connection, warm_up)
        begun = time.perf_counter()
        await bulk(connection, tasks)
        seconds = time.perf_counter() - begun
        times_ms = []
        for number in range(-min(50, singles), singles):
            begun = time.perf_counter()
            await connection.send(TEXT)
            await connection.recv()
            if number >= 0:
                times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


async def echo(connection):
    """Give back what comes."""
    async for message in connection:
        await connection.send(message)


async def server():
    """Echo until it is ended."""
    async with serve(echo, HOST, int(PORT), compression=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(server() if ROLE == "server" else client(*map(int, SIZES)))
