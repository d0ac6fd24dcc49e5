"""Tasks for tests; at the top of a module, where `isolation="process"` wants them."""

from __future__ import annotations

import asyncio
import time

import moorline
from moorline import Context, Retry, task


@task
def add(a: int, b: int) -> int:
    return a + b


@task
async def echo(value: object = None) -> object:
    return value


@task
async def anything(**parameters: object) -> dict[str, object]:
    return parameters


@task
async def count_up(total: int, context: Context) -> int:
    for done in range(total):
        context.progress(done + 1, total, f"step {done + 1}")
        context.logger.info("step %d of %d", done + 1, total)
    return total


@task
def who_am_i(*, context: moorline.Context) -> list[object]:
    return [context.task_id, context.attempt, context.name, context.fencing_token, context.node_id]


@task(retry=Retry(max_attempts=3))
async def fail_twice(context: Context) -> int:
    if context.attempt < 3:
        raise ConnectionError(f"no luck in attempt {context.attempt}")
    return context.attempt


@task
def fail() -> None:
    raise ValueError("no luck")


@task
async def sleep_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


@task(timeout_s=0.02)
async def too_slow() -> None:
    await asyncio.get_running_loop().create_future()


@task
def until_cancelled(context: Context) -> str:
    while not context.cancelled:
        time.sleep(0.001)
    return "stopped"


@task
def not_json() -> object:
    return object()


@task(isolation="process")
def apart(text: str) -> str:
    return text.upper()
