"""Claim: a hub with a million queued tasks is ready again within two seconds of its start.

The hub is killed (SIGKILL) with commits that are only in its write-ahead log, and started again. Counted is from just
before the start of the process until ``/readyz`` answers 200, with the start of the interpreter. The file is in the
page cache, as it is after a crash of a process; after a boot of the machine the disk has to be read as well.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.claim import Claim, at_most
from benchmarks.clients import with_client
from benchmarks.handlers import noop
from benchmarks.installation import Hub, afterwards, conditions, hub_in, working_folder
from benchmarks.settings import command, setting
from benchmarks.standing_queues import StandingQueues
from benchmarks.throughput import DATA
from hub.settings import DATABASE_NAME
from moorline import Client

READY_S_MAX: Final = 2.0

MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    queued: int = setting(1_000_000, "Tasks that are queued.")
    restarts: int = setting(5, "How often the hub is killed; the median counts.")
    fresh: int = setting(1000, "Tasks that are submitted before each kill, for the write-ahead log.")


def measure(settings: Settings, queues: StandingQueues | None = None) -> Claim:
    """Measure; ``queues`` are filled in a folder of its own if none are handed in."""
    before = conditions()
    with working_folder() as folder:
        (queues or StandingQueues(folder)).copy(settings.queued, folder / "hub")
        figures = _figures(folder, settings)
    return Claim(
        claim="a hub with a million queued tasks is ready again at once",
        figures=figures,
        targets=[at_most(f"ready with {settings.queued:,} queued", READY_S_MAX, figures["ready_s_median"], "s")],
        settings={"durability": "full", "page_cache": "warm", **asdict(settings)},
        conditions=afterwards(before),
    )


def _figures(folder: Path, settings: Settings) -> dict[str, Any]:
    with hub_in(folder) as hub:
        ready_s = [_restart(hub, settings.fresh) for _ in range(settings.restarts)]
        expected = settings.queued + settings.fresh * settings.restarts
        _check_queued(hub, expected)
        memory_mib = hub.memory_kib() / 1024
    return {
        "ready_s": [round(once_s, 3) for once_s in ready_s],
        "ready_s_median": round(statistics.median(ready_s), 3),
        "hub_memory_mib": round(memory_mib, 1),
        "database_mib": round((folder / "hub" / DATABASE_NAME).stat().st_size / MIB, 1),
    }


def _restart(hub: Hub, fresh: int) -> float:
    with_client(hub.url, lambda client: _submit(client, fresh))
    hub.kill()
    begun_s = hub.start()
    return hub.wait_until_ready() - begun_s


async def _submit(client: Client, tasks: int) -> Sequence[object]:
    return await client.submit_many(noop, ({"data": DATA} for _ in range(tasks)))


def _check_queued(hub: Hub, expected: int) -> None:
    queued = hub.stats()["tasks"].get("queued", 0)
    if queued != expected:
        raise RuntimeError(f"{queued} tasks are queued after the restarts, and not {expected}")


main = command(Settings, measure, "Measure how long a hub with many tasks takes to start.")

if __name__ == "__main__":
    main()
