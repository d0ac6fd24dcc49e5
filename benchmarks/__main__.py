"""Measure every claim: a table on stderr, and one JSON object on stdout.

``python -m benchmarks`` takes less than three minutes on an idle machine with two cores. Each claim can be measured by
itself, longer and with other settings: ``python -m benchmarks.<claim> --help``.
"""

from __future__ import annotations

import sys
import time

import click

from benchmarks.claim import print_json
from benchmarks.installation import afterwards, conditions, working_folder
from benchmarks.report import print_report
from benchmarks.settings import end_on_sigterm
from benchmarks.standing_queues import StandingQueues
from benchmarks.suite import MEASUREMENTS, Broken, as_json, run


@click.command()
@click.option(
    "--only", "names", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="Only this one. Repeatable."
)
def main(names: tuple[str, ...]) -> None:
    """Measure every claim."""
    end_on_sigterm()
    before = conditions()
    chosen = names or tuple(MEASUREMENTS)
    told = []
    with working_folder() as folder:
        begun_s = time.monotonic()
        for name, claim in run(chosen, StandingQueues(folder)):
            told.append((name, claim))
            click.echo(f"{name}: {time.monotonic() - begun_s:.0f} s", err=True)
            begun_s = time.monotonic()
    print_report(told)
    print_json(as_json(told, afterwards(before)))
    if any(isinstance(claim, Broken) for _, claim in told):
        sys.exit(1)


if __name__ == "__main__":
    main()
