"""The work behind the pictures of the dashboards: ``python -m benchmarks.dashboard_work URL FOLDER MINUTES``."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Final

from benchmarks.clients import with_client
from dashboards.demo.services import Services
from dashboards.demo.surroundings import look_around
from dashboards.demo.workload import PlannedTask, plan
from moorline import Client, TaskError

# What a fleet is asked for that cannot be had: so that there is something to see where errors are shown.
HOPELESS: Final = (
    PlannedTask(name="diagnosis.largest_files", payload={"folder": "/no/such/folder"}),
    PlannedTask(name="diagnosis.look_up_name", payload={"name": "printer.invalid", "within_s": 1.0}),
    PlannedTask(name="diagnosis.search_logs", payload={"folder": "/var/log", "pattern": "("}),
)
HOPELESS_EVERY: Final = 25

SEED: Final = 7
PLANNED: Final = 100_000

# One wave of much and little work, as days are.
WAVE_S: Final = 60.0
PAUSE_S_MIN: Final = 0.04
PAUSE_S_MORE: Final = 0.5

RESULT_WITHIN_S: Final = 60.0


async def work(client: Client, folder: Path, minutes: float) -> None:
    """Submit work for so long, now more and now less of it; what fails is part of the picture."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + 60 * minutes
    chance = random.Random(SEED)
    async with Services(folder) as services, asyncio.TaskGroup() as group:
        for number, task in enumerate(plan(PLANNED, look_around(await services.start()), SEED)):
            chosen = chance.choice(HOPELESS) if number % HOPELESS_EVERY == 0 else task
            group.create_task(_carry(client, chosen))
            height = abs((end_s - loop.time()) % WAVE_S / WAVE_S - 0.5)
            await asyncio.sleep(PAUSE_S_MIN + PAUSE_S_MORE * height * chance.random())
            if loop.time() > end_s:
                return


async def _carry(client: Client, task: PlannedTask) -> None:
    handle = await client.submit_payload(task.name, task.payload)
    try:
        await handle.result(RESULT_WITHIN_S)
    except (TaskError, TimeoutError):
        return


def main() -> None:
    """Work until the time is over."""
    url, folder, minutes = sys.argv[1:]
    with_client(url, lambda client: work(client, Path(folder), float(minutes)))


if __name__ == "__main__":
    main()
