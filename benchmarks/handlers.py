"""The work of the benchmarks: none at all, so that what is measured is Moorline."""

from __future__ import annotations

from moorline import task


@task
async def noop(data: str = "") -> None:
    """Do nothing."""


@task
async def echo(data: str = "") -> str:
    """Give back what came."""
    return data
