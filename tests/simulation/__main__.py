"""Run the simulation: ``--seeds 2000`` for many, ``--seed 17 --verbose`` for one with its whole trace."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.simulation.runner import Bench, SeedReport, check_rule, run_here, run_in_processes

# How often the progress is told.
TOLD_EVERY_S = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 if a promise was broken."""
    options = _parser().parse_args(arguments)
    try:
        check_rule(options.broken)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.seed is not None:
        return _run_one(options)
    return _run_many(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this seed alone and print its trace")
    parser.add_argument("--verbose", action="store_true", help="with --seed: print the whole trace, not only its end")
    parser.add_argument("--broken", default="", metavar="RULE", help="break this rule of the design on purpose")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--all", action="store_true", help="go on after a seed that broke a promise")
    return parser


def _run_one(options: argparse.Namespace) -> int:
    with Bench() as bench:
        report = bench.run(options.seed, options.broken, is_traced=True)
    for line in report.trace if options.verbose else report.trace[-40:]:
        print(line)
    print(f"seed {report.seed}: {'clean' if report.is_clean else f'BROKEN {report.promise}: {report.what}'}")
    return 0 if report.is_clean else 1


def _run_many(options: argparse.Namespace) -> int:
    seeds = range(options.first, options.first + options.seeds)
    reports = (
        run_here(seeds, options.broken)
        if options.jobs <= 1
        else run_in_processes(seeds, options.broken, jobs=options.jobs)
    )
    wrong = _count(reports, options)
    return 1 if wrong else 0


def _count(reports: Iterator[SeedReport], options: argparse.Namespace) -> int:
    began_s = told_s = time.monotonic()
    done = 0
    wrong: list[SeedReport] = []
    for report in reports:
        done += 1
        if not report.is_clean:
            wrong.append(report)
            _tell_wrong(report, options.broken)
            if not options.all:
                break
        if time.monotonic() - told_s > TOLD_EVERY_S:
            told_s = time.monotonic()
            print(f"{done} of {options.seeds} seeds, {len(wrong)} wrong", file=sys.stderr, flush=True)
    passed_s = time.monotonic() - began_s
    print(f"{done} seeds in {passed_s:.1f} s, {1000 * passed_s / max(1, done):.1f} ms each: {len(wrong)} wrong")
    for promise, count in Counter(report.promise for report in wrong).most_common():
        print(f"  {count:6} {promise}")
    return len(wrong)


def _tell_wrong(report: SeedReport, broken: str) -> None:
    print(f"seed {report.seed} broke a promise: {report.promise}: {report.what}")
    how = f" --broken {broken}" if broken else ""
    print(f"  replay it: python -m tests.simulation --seed {report.seed} --verbose{how}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
