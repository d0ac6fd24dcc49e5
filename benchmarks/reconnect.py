"""Claim: after a hub restart every node of a small fleet is registered again within seconds.

Real processes: one hub, and nodes as ``run_node.py``. The hub is killed (SIGKILL), stays away for a time, and is
started again; counted is from the line in which it says that it is ready until the last node is online.
``python -m benchmarks.reconnect`` prints one JSON object.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any
from urllib.request import urlopen

import click
import orjson

from benchmarks.installation import conditions, working_folder
from tests.end_to_end.processes import Fleet, fleet_in, until

# Fifty interpreters start on two cores, and others use the machine too.
FIRST_ONLINE_WITHIN_S = 300.0

# Longer than any pause between dials.
BACK_WITHIN_S = 90.0


def nodes_online(fleet: Fleet) -> int:
    """Ask the hub how many of its nodes are online."""
    with urlopen(f"{fleet.hub.url}/v1/nodes?limit=1000", timeout=10) as answer:
        return sum(node["state"] == "online" for node in orjson.loads(answer.read())["nodes"])


def restart(fleet: Fleet, down_s: float) -> tuple[float, float]:
    """Kill the hub and start it ``down_s`` later; give how long its start took, and how long all nodes took then."""
    fleet.hub.kill()
    time.sleep(down_s)
    begun_s = time.monotonic()
    fleet.hub.start()
    ready_s = time.monotonic()
    until(lambda: nodes_online(fleet) == len(fleet.nodes), "all nodes back", BACK_WITHIN_S)
    return ready_s - begun_s, time.monotonic() - ready_s


def measure(nodes: int, restarts: int, down_s: float) -> dict[str, Any]:
    """Start a fleet, restart its hub again and again; give every figure and the medians."""
    with working_folder() as folder, fleet_in(folder) as fleet:
        fleet.hub.start()
        for number in range(nodes):
            fleet.add_node(f"n{number:03}")
        until(lambda: nodes_online(fleet) == nodes, f"{nodes} nodes online", FIRST_ONLINE_WITHIN_S)
        rounds = [restart(fleet, down_s) for _ in range(restarts)]
    starts_s, backs_s = zip(*rounds, strict=True)
    return {
        "all_back_s": [round(back_s, 2) for back_s in backs_s],
        "all_back_s_median": round(statistics.median(backs_s), 2),
        "hub_start_s_median": round(statistics.median(starts_s), 2),
    }


@click.command()
@click.option("--nodes", default=50, show_default=True, help="Node processes.")
@click.option("--restarts", default=10, show_default=True, help="How often the hub is killed; the median counts.")
@click.option("--down-s", default=1.0, show_default=True, help="Seconds between the kill and the start.")
def main(nodes: int, restarts: int, down_s: float) -> None:
    """Print one JSON object with the figures and the settings."""
    settings = {"nodes": nodes, "restarts": restarts, "down_s": down_s}
    before = conditions()
    figures = measure(nodes, restarts, down_s)
    sys.stdout.buffer.write(orjson.dumps({**figures, "settings": settings, **before}) + b"\n")


if __name__ == "__main__":
    main()
