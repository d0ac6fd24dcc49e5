"""Claim: a task costs about the same however much waits, however many nodes are there, whatever their slots.

Each row is held against the smallest of its kind:

- a standing queue of other tasks, twice. *Not served*: nobody can serve them, and the bulk of `benchmarks.throughput`
  is done beside them, from submit to result. *Served later*: the node can serve them, but they are less urgent; ours
  are queued while it is cordoned, and counted is from when it is let go to the last result of ours.
- idle nodes with sessions (`benchmarks.idle_node`) beside the one that works;
- slots of the node that works. Few slots are bound by the way to the node and back, so there is no target; with few
  of them there are fewer tasks as well, `TASKS_PER_SLOT` at most.

The queues are filled offline (`benchmarks.standing_queues`).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.claim import Claim, Target, at_least, at_most
from benchmarks.clients import with_client
from benchmarks.crowd import crowd
from benchmarks.handlers import noop
from benchmarks.installation import (
    CROWDED,
    NODE_ID,
    ONE_OF_EACH,
    Hub,
    afterwards,
    conditions,
    hub_in,
    installation,
    node_of,
    working_folder,
)
from benchmarks.settings import command, setting
from benchmarks.standing_queues import LATE, StandingQueues
from benchmarks.throughput import DATA, PAYLOAD_BYTES, WARM_UP_TASKS, bulk
from moorline import Client

# Thousands come in, on a machine that others use too.
ALL_IN_WITHIN_S: Final = 180.0

# A cordoned node ends what it runs: no-ops.
EMPTY_WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.02

# One slot does some 600 no-ops a second: a few seconds for each round.
TASKS_PER_SLOT: Final = 1000

RATIO_MIN: Final = 0.8
HUB_MIB_MAX: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured. The first of each list is what the others are held against."""

    tasks: int = setting(20_000, "No-op tasks in each round.")
    rounds: int = setting(3, "Rounds of each measurement; the median counts.")
    queued: tuple[int, ...] = setting((1000, 100_000, 1_000_000), "Other tasks that are queued.")
    idle_nodes: tuple[int, ...] = setting((1, 100, 5000), "Idle nodes, growing.")
    slots: tuple[int, ...] = setting((1, 8, 64), "Slots of the node that works.")
    slots_elsewhere: int = setting(1000, "Its slots in all other measurements.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one size came to: tasks per second of each round, and the hub's CPU for a task over all of them."""

    tasks_per_s: Sequence[float]
    hub_cpu_us_per_task: float


def measure(settings: Settings, queues: StandingQueues | None = None) -> Claim:
    """Measure all; ``queues`` are filled in a folder of its own if none are handed in."""
    before = conditions()
    with working_folder() as folder:
        queued = _beside_queues(queues or StandingQueues(folder), settings)
    figures = {**queued, "idle_nodes": _beside_idle_nodes(settings), "slots": _with_slots(settings)}
    return Claim(
        claim="a task costs about the same however much waits and however many nodes are there",
        figures=figures,
        targets=_targets(figures, settings),
        settings={
            **ONE_OF_EACH,
            "payload_bytes": PAYLOAD_BYTES,
            "idle_hub_flags": " ".join(CROWDED),
            **asdict(settings),
        },
        conditions=afterwards(before),
    )


def _targets(figures: Mapping[str, Any], settings: Settings) -> list[Target]:
    smallest, most = settings.queued[0], str(max(settings.queued))
    against = f"{int(most):,} queued against {smallest:,}"
    idle = max(settings.idle_nodes)
    beside_idle = figures["idle_nodes"]["ratio"][str(idle)]
    return [
        at_least(f"{against}, not served", RATIO_MIN, figures["not_served"]["ratio"][most], "x"),
        at_least(f"{against}, served later", RATIO_MIN, figures["served_later"]["ratio"][most], "x"),
        at_most(f"hub's memory, {int(most):,} queued", HUB_MIB_MAX, figures["hub_memory_mib"][most], "MiB"),
        at_least(f"{idle:,} idle nodes against {settings.idle_nodes[0]:,}", RATIO_MIN, beside_idle, "x"),
    ]


def _row(rates: Mapping[int, Rates]) -> dict[str, Any]:
    """Tell the median rate of each size, and its ratio to that of the first."""
    medians = {size: statistics.median(measured.tasks_per_s) for size, measured in rates.items()}
    first = next(iter(medians.values()))
    return {
        "tasks_per_s": {str(size): round(rate) for size, rate in medians.items()},
        "ratio": {str(size): round(rate / first, 2) for size, rate in medians.items()},
        # It says more than the rate where others use the machine.
        "hub_cpu_us_per_task": {str(size): round(measured.hub_cpu_us_per_task, 1) for size, measured in rates.items()},
        "rounds": {str(size): [round(rate) for rate in measured.tasks_per_s] for size, measured in rates.items()},
    }


def _rates(hub: Hub, tasks: int, rounds: int, one_round: Callable[[Client, int], Awaitable[float]] = bulk) -> Rates:
    """Warm up and measure rounds. The CPU for *served later* holds what is done of the others meanwhile."""

    async def work(client: Client) -> Rates:
        await one_round(client, min(tasks, WARM_UP_TASKS))
        used_s = hub.cpu_s()
        rates = [await one_round(client, tasks) for _ in range(rounds)]
        per_task_s = (hub.cpu_s() - used_s) / (rounds * tasks)
        return Rates(tasks_per_s=rates, hub_cpu_us_per_task=per_task_s * 1e6)

    return with_client(hub.url, work)


# --- beside a standing queue ------------------------------------------------------------------------------------------


def _beside_queues(queues: StandingQueues, settings: Settings) -> dict[str, Any]:
    not_served: dict[int, Rates] = {}
    served_later: dict[int, Rates] = {}
    memory_mib: dict[str, float] = {}
    for queued in settings.queued:
        with working_folder() as folder:
            queues.copy(queued, folder / "hub")
            not_served[queued], served_later[queued], kib = _beside_queue(folder, queued, settings)
            memory_mib[str(queued)] = round(kib / 1024, 1)
    return {"not_served": _row(not_served), "served_later": _row(served_later), "hub_memory_mib": memory_mib}


def _beside_queue(folder: Path, queued: int, settings: Settings) -> tuple[Rates, Rates, float]:
    """Give the rates of both kinds, and the hub's memory in KiB at the end."""
    slots = settings.slots_elsewhere
    with hub_in(folder) as hub, node_of(folder, hub, slots) as whole:
        not_served = _rates(hub, settings.tasks, settings.rounds)
        left = hub.stats()["tasks"].get("queued", 0)
        if left != queued:
            raise RuntimeError(f"{left} of {queued} tasks are queued that nobody can serve")
        # From here on it must have nothing to do but when it is let go.
        with_client(hub.url, lambda client: client.cordon(NODE_ID))
        whole.replace_node(slots, "--label", "=".join(LATE))
        served_later = _rates(hub, settings.tasks, settings.rounds, cordoned_bulk)
        return not_served, served_later, hub.memory_kib()


async def cordoned_bulk(client: Client, tasks: int) -> float:
    """Queue ours while the node is cordoned, let it go, and wait for ours; give tasks per second from then on.

    What it takes of the others before it is cordoned again is a few thousand.
    """
    handles = await client.submit_many(noop, ({"data": DATA} for _ in range(tasks)))
    begun_s = time.perf_counter()
    await client.uncordon(NODE_ID)
    async for handle in client.as_completed(handles):
        await handle.result()
    took_s = time.perf_counter() - begun_s
    await client.cordon(NODE_ID)
    async with asyncio.timeout(EMPTY_WITHIN_S):
        while (await client.stats()).tasks.get("running", 0):  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(LOOK_EVERY_S)
    return tasks / took_s


# --- beside idle nodes, and with other slots --------------------------------------------------------------------------


def _beside_idle_nodes(settings: Settings) -> dict[str, Any]:
    rates: dict[int, Rates] = {}
    with installation(slots=settings.slots_elsewhere, hub_arguments=CROWDED) as whole, ExitStack() as ends:
        there = 0
        for number, count in enumerate(settings.idle_nodes):
            more = crowd("idle-node", whole.hub.node_url, f"idle{number}-", count - there, 1, whole.folder)
            ends.enter_context(more).wait_until_in(ALL_IN_WITHIN_S)
            there = count
            rates[count] = _rates(whole.hub, settings.tasks, settings.rounds)
        online = whole.hub.stats()["nodes"].get("online", 0)
        if online != there + 1:
            raise RuntimeError(f"{online} nodes are online, and not {there + 1}")
    return _row(rates)


def _with_slots(settings: Settings) -> dict[str, Any]:
    rates: dict[int, Rates] = {}
    with installation(slots=settings.slots[0]) as whole:
        for slots in settings.slots:
            whole.replace_node(slots)
            rates[slots] = _rates(whole.hub, min(settings.tasks, TASKS_PER_SLOT * slots), settings.rounds)
    return _row(rates)


main = command(Settings, measure, "Measure what a task costs as work and fleet grow.")

if __name__ == "__main__":
    main()
