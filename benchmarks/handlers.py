"""The work of the benchmarks: none at all, so that what is measured is Moorline."""

from __future__ import annotations

import time

from moorline import task


@task
async def noop(data: str = "") -> None:
    """Do nothing."""


@task
async def echo(data: str = "") -> str:
    """Give back what came."""
    return data


@task
async def started_at() -> float:
    """Give the time at which this began, in seconds since 1970."""
    return time.time()
