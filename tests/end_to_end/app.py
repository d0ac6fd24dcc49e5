"""Handlers for end-to-end tests: each waits for a fact that the test brings about, never for the clock alone."""

from __future__ import annotations

import asyncio
import ctypes
import time
from pathlib import Path

from moorline import Context, task


@task
async def noop(n: int = 0) -> int:
    return n


@task
async def echo(value: object) -> object:
    return value


@task(isolation="process")
def echo_in_process(value: object) -> object:
    return value


@task
async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@task
async def hold(path: str) -> str:
    """Run until the file is there and says something."""
    gate = Path(path)
    while not (gate.exists() and (text := gate.read_text())):
        await asyncio.sleep(0.02)
    return text


@task
def hold_in_thread(path: str, context: Context) -> str:
    """Run in a thread until the file is there, or until it is told to stop."""
    while not Path(path).exists():
        if context.cancelled:
            return "stopped"
        time.sleep(0.02)
    return "seen"


@task(isolation="process")
def hold_in_process(path: str) -> str:
    """Run in a child process until the file is there; never looks whether it was cancelled."""
    while not Path(path).exists():
        time.sleep(0.02)
    return "seen"


@task
async def block_the_loop(seconds: float) -> str:
    """Do what a handler must not: block its event loop."""
    time.sleep(seconds)
    return "done"


@task
async def hold_the_interpreter(seconds: int) -> str:
    """Do what a bad extension does: call into C and not let go of the interpreter."""
    ctypes.PyDLL(None).sleep(seconds)
    return "done"


@task
def fail(message: str = "no luck") -> None:
    raise RuntimeError(message)


@task
async def count_up(total: int, path: str, context: Context) -> int:
    """Say how far it is, and wait for the file at the end."""
    for done in range(total):
        context.progress(done + 1, total, f"step {done + 1}")
        context.logger.info("step %d", done + 1)
    return total if await hold(path) else 0


@task
async def unspeakable() -> object:
    """Return what is not JSON."""
    return object()


@task
async def huge(size_bytes: int) -> str:
    return "x" * size_bytes
