"""The handlers that nodes run while they are being broken. They do nothing but take their time, or fail."""

from __future__ import annotations

import asyncio
import time

from moorline import Context, task

# How often a function in a thread looks whether it should stop: a lease gives it seconds.
LOOK_EVERY_S = 0.05


class NoLuckError(Exception):
    """What a task raises that was asked to fail."""


class StoppedError(Exception):
    """The handler was told to stop."""


@task(name="chaos.nap")
async def nap(seconds: float) -> float:
    """Take so long, on the event loop."""
    await asyncio.sleep(seconds)
    return seconds


@task(name="chaos.nap_in_thread")
def nap_in_thread(seconds: float, context: Context) -> float:
    """Take so long, in a thread, and stop when told to."""
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        if context.cancelled:
            raise StoppedError
        time.sleep(min(left_s, LOOK_EVERY_S))
    return seconds


@task(name="chaos.nap_in_process", isolation="process")
def nap_in_process(seconds: float) -> float:
    """Take so long, in a child process."""
    time.sleep(seconds)
    return seconds


@task(name="chaos.try_again")
async def try_again(seconds: float, fails_until: int, context: Context) -> int:
    """Fail in all attempts up to this one, and give the number of the one that did not."""
    await asyncio.sleep(seconds)
    if context.attempt <= fails_until:
        raise NoLuckError(f"attempt {context.attempt} was to fail")
    return context.attempt
