"""Claim: a fleet is back as fast as its hub admits nodes, with few tries, however large it is.

A simulation in virtual time with the real policy of both sides (`benchmarks.storm_world`), next to plain exponential
waits with and without jitter. ``python -m benchmarks.storm`` prints a table, with ``--json`` one JSON object.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import orjson

from benchmarks.storm_picture import draw
from benchmarks.storm_world import Caller, Course, ExponentialNode, MoorlineNode, Storm, run
from hub.decisions.admission import spread_s

Maker = Callable[[Storm], Callable[[Callable[[], float]], Caller]]

POLICIES: Final[dict[str, Maker]] = {
    "Moorline": lambda storm: lambda luck: MoorlineNode(luck, spread_s(storm.nodes, storm.admissions_per_s)),
    "full jitter": lambda _: ExponentialNode,
    "no jitter": lambda _: lambda _: ExponentialNode(None),
}
"""How the nodes come back, by name."""


def course(policy: str, storm: Storm) -> Course:
    """Let one storm happen under one policy."""
    return run(storm, POLICIES[policy](storm))


def figures(course: Course) -> dict[str, float | int | None]:
    """Give what is worth a row: seconds after the hub was ready, tries by node, dials and admissions by second.

    A time that was not reached within the horizon is None.
    """
    times = {"p50_s": 0.5, "p99_s": 0.99, "last_s": 1.0}
    reached = {name: course.back_within_s(share) for name, share in times.items()}
    return {
        "back": len(course.back_s),
        **{name: None if at_s is None else round(at_s, 1) for name, at_s in reached.items()},
        "tries_mean": round(statistics.fmean(course.tries), 2),
        "tries_max": max(course.tries),
        "dials_per_s_max": max(course.dials.values()),
        "dials_per_s_max_when_ready": max(count for second, count in course.dials.items() if second >= 0),
        "admissions_per_s_max": max(course.admissions.values()),
    }


@click.command()
@click.option(
    "--nodes", "sizes", multiple=True, default=[10_000, 100_000], show_default=True, help="Size of the fleet."
)
@click.option("--outage-s", default=10.0, show_default=True, help="How long the hub is away.")
@click.option("--admissions-per-s", default=300.0, show_default=True, help="As the hub's setting of that name.")
@click.option("--seed", "seeds", multiple=True, default=[1], show_default=True, help="One storm for each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the first fleet's storm to this SVG file.")
def main(
    sizes: tuple[int, ...],
    outage_s: float,
    admissions_per_s: float,
    seeds: tuple[int, ...],
    as_json: bool,
    picture: Path | None,
) -> None:
    """Simulate storms of reconnecting nodes."""
    begun_s = time.process_time()
    rows: list[dict[str, Any]] = []
    for nodes in sizes:
        for policy in POLICIES:
            for seed in seeds:
                storm = Storm(nodes=nodes, outage_s=outage_s, admissions_per_s=admissions_per_s, seed=seed)
                row = {"nodes": nodes, "policy": policy, "seed": seed, **figures(course(policy, storm))}
                rows.append(row)
                if not as_json:
                    _print(row, with_head=len(rows) == 1)
    if picture is not None:
        first = Storm(nodes=sizes[0], outage_s=outage_s, admissions_per_s=admissions_per_s, seed=seeds[0])
        picture.write_text(draw({policy: course(policy, first) for policy in POLICIES}))
    if as_json:
        settings = {"outage_s": outage_s, "admissions_per_s": admissions_per_s, "horizon_s": Storm(nodes=1).horizon_s}
        result = {"storms": rows, "settings": settings, "cpu_s": round(time.process_time() - begun_s, 1)}
        sys.stdout.buffer.write(orjson.dumps(result) + b"\n")


def _print(row: dict[str, Any], *, with_head: bool) -> None:
    if with_head:
        print("  ".join(f"{name:>{_width(name)}}" for name in row))
    print(
        "  ".join(f"{'never' if value is None else value:>{_width(name)}}" for name, value in row.items()), flush=True
    )


def _width(name: str) -> int:
    # The longest policy has eleven letters.
    return max(11, len(name))


if __name__ == "__main__":
    main()
