"""Claim: megabytes per second through the hub, with payloads and results of 64 KiB.

Payload in and result out are counted once each: a task of 64 KiB that gives 64 KiB back is 131,072 bytes, although
each of these passes the hub's sockets twice (from the client and to the node, and back). A megabyte is 1,000,000 bytes.
Each result is compared with what was sent.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.claim import Claim, at_least
from benchmarks.clients import with_client
from benchmarks.handlers import echo
from benchmarks.installation import ONE_OF_EACH, Installation, afterwards, conditions, installation
from benchmarks.settings import command, setting
from moorline import Client

# Around the text: {"data":"…"} in the payload, "…" in the result. The payload is of the size that is set; the result
# has nine bytes less, and is counted as it is.
PAYLOAD_FRAME_BYTES: Final = 11
RESULT_FRAME_BYTES: Final = 2

WARM_UP_TASKS: Final = 50

# Targets hold for this size: a smaller one moves fewer bytes with as much work.
MB_PER_S_MIN: Final = 150.0

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    tasks: int = setting(2000, "Tasks in each round.")
    rounds: int = setting(3, "Rounds; the median counts.")
    payload_bytes: int = setting(64 * 1024, "Size of a payload, and nearly that of a result.")
    window: int = setting(128, "Tasks under way at once.")
    slots: int = setting(64, "Slots of the node.")


async def echoes(client: Client, settings: Settings, tasks: int) -> float:
    """Have ``tasks`` texts echoed; give MB per second, both ways added.

    Raises:
        RuntimeError: something else came back.
    """
    text = "x" * (settings.payload_bytes - PAYLOAD_FRAME_BYTES)
    both_bytes = settings.payload_bytes + len(text) + RESULT_FRAME_BYTES
    begun_s = time.perf_counter()
    async for echoed in client.map(echo, ({"data": text} for _ in range(tasks)), window=settings.window):
        if echoed != text:
            raise RuntimeError("an echo is not what was sent")
    return tasks * both_bytes / MB / (time.perf_counter() - begun_s)


def measure(settings: Settings) -> Claim:
    """Measure rounds of echoes after a warm-up."""
    before = conditions()
    with installation(slots=settings.slots) as whole:
        figures = with_client(whole.hub.url, lambda client: _figures(client, whole, settings))
    return Claim(
        claim="megabytes per second through the hub, 64 KiB in and 64 KiB out",
        figures=figures,
        targets=[at_least("payloads and results", MB_PER_S_MIN, figures["mb_per_s"], "MB/s")],
        settings={
            **ONE_OF_EACH,
            "counted": "payload in + result out, once each",
            **asdict(settings),
        },
        conditions=afterwards(before),
    )


async def _figures(client: Client, whole: Installation, settings: Settings) -> dict[str, Any]:
    await echoes(client, settings, min(settings.tasks, WARM_UP_TASKS))
    before_s = _cpu_s(whole)
    rates = [await echoes(client, settings, settings.tasks) for _ in range(settings.rounds)]
    used_s = {name: after_s - before_s[name] for name, after_s in _cpu_s(whole).items()}
    tasks = settings.tasks * settings.rounds
    return {
        "mb_per_s": round(statistics.median(rates), 1),
        "mb_per_s_rounds": [round(rate, 1) for rate in rates],
        "cpu_us_per_task": {name: round(cpu_s / tasks * 1e6, 1) for name, cpu_s in used_s.items()},
        "hub_memory_mib": round(whole.hub.memory_kib() / 1024, 1),
    }


def _cpu_s(whole: Installation) -> dict[str, float]:
    return {**whole.cpu_s(), "client": time.process_time()}


main = command(Settings, measure, "Measure megabytes per second through the hub.")

if __name__ == "__main__":
    main()
