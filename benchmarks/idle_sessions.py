"""Claim: what an idle session costs the hub: memory, and the CPU share of all of them with default heartbeats.

The sessions are `benchmarks.idle_node`, in processes of their own, all from 127.0.0.1; the hub's limits for one address
and for admissions are raised. Memory is how much the hub's share of the memory (PSS) has grown since it was ready and
had none, divided by the sessions.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.claim import Claim, at_most
from benchmarks.crowd import crowd
from benchmarks.installation import CROWDED, Hub, afterwards, conditions, hub_in, working_folder
from benchmarks.settings import command, setting

# Some 500 a second come in on an idle machine; others may use it too.
ALL_IN_WITHIN_S: Final = 180.0

KIB_EACH_MAX: Final = 24.0
CPU_PERCENT_MAX: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured. ``watch_s`` should be a multiple of 20 s: heartbeats come each 10 s, pings each 20 s."""

    sessions: int = setting(5000, "Idle sessions.")
    settle_s: float = setting(10.0, "From the last registration to the measurement.")
    watch_s: float = setting(60.0, "For how long the hub's CPU is watched.")
    processes: int = setting(1, "Processes that hold the sessions.")


def measure(settings: Settings) -> Claim:
    """Measure once."""
    before = conditions()
    with working_folder() as folder, hub_in(folder, *CROWDED) as hub:
        empty_kib = hub.memory_kib()
        with crowd("idle-node", hub.node_url, "idle", settings.sessions, settings.processes, folder) as nodes:
            nodes.wait_until_in(ALL_IN_WITHIN_S)
            time.sleep(settings.settle_s)
            figures = _figures(hub, empty_kib, settings)
    return Claim(
        claim="an idle session is cheap",
        figures=figures,
        targets=[
            at_most("memory of a session", KIB_EACH_MAX, figures["memory_kib_each"], "KiB"),
            at_most(f"CPU of {settings.sessions:,} sessions", CPU_PERCENT_MAX, figures["cpu_percent"], "% of a core"),
        ],
        settings={"hub_flags": " ".join(CROWDED), "heartbeat_s": "default", **asdict(settings)},
        conditions=afterwards(before),
    )


def _figures(hub: Hub, empty_kib: float, settings: Settings) -> dict[str, Any]:
    begun_s, used_s = time.monotonic(), hub.cpu_s()
    # What is measured is that nothing happens for so long.
    time.sleep(settings.watch_s)
    share = (hub.cpu_s() - used_s) / (time.monotonic() - begun_s)
    full_kib = hub.memory_kib()
    online = hub.stats()["nodes"].get("online", 0)
    if online != settings.sessions:
        raise RuntimeError(f"{online} of {settings.sessions} sessions are left after {settings.watch_s:g} s")
    return {
        "memory_kib_each": round((full_kib - empty_kib) / settings.sessions, 2),
        "hub_memory_mib": round(full_kib / 1024, 1),
        "hub_memory_empty_mib": round(empty_kib / 1024, 1),
        "cpu_percent": round(100 * share, 2),
        "sessions": online,
    }


main = command(Settings, measure, "Measure what an idle session costs the hub.")

if __name__ == "__main__":
    main()
