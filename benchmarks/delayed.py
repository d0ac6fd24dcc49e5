"""Claim: how late a task with a ``not_before`` starts.

Hub, node and client are on one machine here, so that they share its wall clock: the handler says when it began, and
that is held against the time that the client named. There is no target: the figure is for who plans with it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.claim import Claim
from benchmarks.clients import with_client
from benchmarks.handlers import started_at
from benchmarks.installation import ONE_OF_EACH, afterwards, conditions, installation
from benchmarks.quantiles import told_ms
from benchmarks.settings import command, setting
from moorline import Client
from moorline.handles import TaskHandle

# An irrational share of the time between two tasks, so that they do not fall in step with any timer.
_OFF_BEAT: Final = 0.618


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    tasks: int = setting(500, "Delayed tasks.")
    lead_s: float = setting(1.0, "From now to the first of them.")
    seconds: float = setting(5.0, "Over which they are due.")
    slots: int = setting(100, "Slots of the node.")


async def latenesses_s(client: Client, settings: Settings) -> list[float]:
    """Submit delayed tasks; give by how much each began late, in seconds.

    Raises:
        RuntimeError: one began before its time.
    """

    async def carry(due_at: float) -> float:
        handle: TaskHandle[float] = await client.submit(started_at.options(not_before=due_at))
        return await handle.result() - due_at

    first_at = time.time() + settings.lead_s
    step_s = settings.seconds / settings.tasks
    due = (first_at + number * step_s + (number * _OFF_BEAT % 1) * step_s for number in range(settings.tasks))
    late_s = await asyncio.gather(*(carry(due_at) for due_at in due))
    if min(late_s) < 0:
        raise RuntimeError(f"a task began {-min(late_s):.6f} s before its time")
    return late_s


def measure(settings: Settings) -> Claim:
    """Measure once."""
    before = conditions()
    with installation(slots=settings.slots) as whole:
        figures = with_client(whole.hub.url, lambda client: _figures(client, settings))
    return Claim(
        claim="how late a delayed task starts",
        figures=figures,
        settings={**ONE_OF_EACH, **asdict(settings)},
        conditions=afterwards(before),
    )


async def _figures(client: Client, settings: Settings) -> dict[str, Any]:
    return {"late_ms": told_ms(await latenesses_s(client, settings))}


main = command(Settings, measure, "Measure how late delayed tasks start.")

if __name__ == "__main__":
    main()
