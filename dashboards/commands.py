"""The commands that this package brings to `moorline`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

# With fewer the work is over before anything has been killed in its middle.
TASKS_MIN = 60
TASKS_MAX = 10_000


@click.command(short_help="Kill a hub in the middle of real work, and watch that nothing is lost.")
@click.option(
    "--tasks", type=click.IntRange(TASKS_MIN, TASKS_MAX), default=400, show_default=True, help="How many tasks to run."
)
@click.option(
    "--seconds-max",
    type=click.FloatRange(10, 3600),
    default=60.0,
    show_default=True,
    help="Give up after this long; what has no outcome by then counts as lost.",
)
@click.option("--keep", is_flag=True, help="Keep the folder with state, logs and the truth file, and say where it is.")
@click.option("--plain", is_flag=True, help="Lines instead of the live picture, as on anything that is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Nothing but the JSON object.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Save the last picture as SVG.")
def demo(tasks: int, seconds_max: float, keep: bool, plain: bool, as_json: bool, svg: Path | None) -> None:
    """Kill a hub in the middle of real work, and watch that nothing is lost.

    Starts a hub and three nodes on this machine, lets them look through its files and servers, kills the hub and later
    a node with SIGKILL, starts both again, and holds what really ran against what the client was told. All that it
    starts ends with it.

    The picture goes to stderr. The last line on stdout is one JSON object; the exit status is 0 only if nothing was
    lost, nothing ran twice, and the statistics were kept.
    """
    from dashboards.demo.show import show  # noqa: PLC0415  # help and completion need none of it

    sys.exit(show(tasks=tasks, seconds_max=seconds_max, keep=keep, plain=plain, as_json=as_json, svg=svg))
