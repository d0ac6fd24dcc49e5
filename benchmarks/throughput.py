"""Claim: tasks per second in bulk, every one durable, and what a task costs each process.

One hub, one node, one client, each a process of its own. ``python -m benchmarks.throughput`` prints one JSON object.
What it is held against are its peers, measured beside it (`benchmarks.peers`).
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.claim import Claim
from benchmarks.clients import with_client
from benchmarks.handlers import noop
from benchmarks.installation import ONE_OF_EACH, Installation, afterwards, conditions, installation
from benchmarks.settings import command, setting
from moorline import Client
from protocol.limits import SLOTS_MAX

PAYLOAD_BYTES = 100
# {"data":"…"} has 11 bytes around its text.
DATA = "x" * (PAYLOAD_BYTES - 11)

# Connections and caches of three processes are warm after so many.
WARM_UP_TASKS = 2000

# Twice the slots, so that some wait whenever a slot is free, and few wait long.
WINDOW: Final = 2 * SLOTS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    tasks: int = setting(20_000, "No-op tasks in each round.")
    rounds: int = setting(3, "Rounds; the median counts.")
    slots: int = setting(SLOTS_MAX, "Slots of the node.")
    durability: str = setting("full", "Durability of the hub: full or normal.")


async def bulk(client: Client, tasks: int) -> float:
    """Have ``tasks`` no-ops done, at most `WINDOW` of them under way; give tasks per second."""
    begun_s = time.perf_counter()
    async for _ in client.map(noop, ({"data": DATA} for _ in range(tasks)), window=WINDOW):
        pass
    return tasks / (time.perf_counter() - begun_s)


def measure(settings: Settings) -> Claim:
    """Measure rounds of bulk after a warm-up."""
    before = conditions()
    with installation(slots=settings.slots, durability=settings.durability) as whole:
        figures = with_client(whole.hub.url, lambda client: _figures(client, whole, settings))
    return Claim(
        claim="tasks per second in bulk, each one durable",
        figures=figures,
        settings={**ONE_OF_EACH, "payload_bytes": PAYLOAD_BYTES, **asdict(settings)},
        conditions=afterwards(before),
    )


async def _figures(client: Client, whole: Installation, settings: Settings) -> dict[str, Any]:
    await bulk(client, min(settings.tasks, WARM_UP_TASKS))
    before_s = _cpu_s(whole)
    rates = [await bulk(client, settings.tasks) for _ in range(settings.rounds)]
    used_s = {name: after_s - before_s[name] for name, after_s in _cpu_s(whole).items()}
    tasks = settings.tasks * settings.rounds
    return {
        "tasks_per_s": round(statistics.median(rates)),
        "tasks_per_s_rounds": [round(rate) for rate in rates],
        "cpu_us_per_task": {name: round(cpu_s / tasks * 1e6, 1) for name, cpu_s in used_s.items()},
    }


def _cpu_s(whole: Installation) -> dict[str, float]:
    return {**whole.cpu_s(), "client": time.process_time()}


main = command(Settings, measure, "Measure tasks per second in bulk.")

if __name__ == "__main__":
    main()
