"""Claim: more tasks per second, each of them on disk, than others; measured beside them, in turns.

``python -m benchmarks.peers`` lets every peer of `benchmarks.peers.catalogue` do the same work, round after round, and
writes ``benchmarks/results/peers.json``; with ``--report`` also the table and the picture of the documents.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.peers import report
from benchmarks.peers.catalogue import MOORLINE, peers_named
from benchmarks.peers.environments import UnavailableError, interpreter, versions
from benchmarks.peers.figures import Figures
from benchmarks.peers.peer import Peer
from benchmarks.peers.processes import ProgramError
from benchmarks.peers.record import RESULTS, Entry, Record, conditions, write
from benchmarks.peers.run import Sizes, run
from benchmarks.peers.servers import version_of

PAYLOAD_BYTES = 100

# What Moorline's speed hangs on; its environment is the one that this runs in.
OUR_PACKAGES = ("moorline", "websockets", "aiohttp", "orjson", "msgspec", "uvloop")

Say = Callable[[str], None]


def compare(peers: Sequence[Peer], rounds: int, do: Callable[[Peer], Figures], record: Record, say: Say) -> None:
    """Let each peer do its work in turn, round after round; write what happens into the record.

    A peer that cannot be had is left out of the later rounds; one that fails gets another chance in the next round.
    """
    entries = {entry.name: entry for entry in record.entries}
    for number in range(1, rounds + 1):
        for peer in peers:
            entry = entries[peer.name]
            if entry.left_out:
                continue
            begun = time.monotonic()
            try:
                figures = entry.rounds[number] = do(peer)
                said = f"{figures.tasks_per_s:,.0f} tasks/s, p50 {figures.p50_ms:.2f} ms, p99 {figures.p99_ms:.2f} ms"
            except UnavailableError as reason:
                said = entry.left_out = str(reason)
            except ProgramError as reason:
                said = entry.failures[number] = str(reason)
            took_s = time.monotonic() - begun
            record.took_s = round(record.took_s + took_s, 1)
            say(f"round {number}/{rounds}  {peer.label:30} {said}  ({took_s:.0f} s)")


def set_up(peers: Sequence[Peer], record: Record, say: Say) -> None:
    """Make all environments before anything is measured; note the versions, and who cannot be had."""
    for peer, entry in zip(peers, record.entries, strict=True):
        packages = OUR_PACKAGES if peer is MOORLINE else peer.packages
        try:
            entry.versions = versions(interpreter(peer.environment, peer.packages), packages)
            if server := version_of(peer.server):
                entry.versions["server"] = server
        except UnavailableError as reason:
            entry.left_out = str(reason)
            say(f"left out: {peer.label}: {reason}")


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often each peer does its work; medians count.")
@click.option("--only", default="", metavar="NAME,…", help="These peers only; Moorline is always among them.")
@click.option("--tasks", default=Sizes().tasks, show_default=True, help="Tasks in bulk at most; slow peers get fewer.")
@click.option("--singles", default=Sizes().singles, show_default=True, help="Tasks one at a time at most.")
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path), help="Where results go.")
@click.option("--report", "to_documents", is_flag=True, help="Then write the table and the picture of the documents.")
def main(rounds: int, only: str, tasks: int, singles: int, output: Path, to_documents: bool) -> None:
    """Let Moorline and its peers do the same work in turns, and write down what came of it."""
    try:
        peers = peers_named(only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from error
    # What was started is ended on the way out; a plain SIGTERM would skip that.
    signal.signal(signal.SIGTERM, _leave)
    record = Record(
        rounds=rounds,
        payload_bytes=PAYLOAD_BYTES,
        conditions=conditions(),
        entries=[Entry.of(peer) for peer in peers],
    )
    set_up(peers, record, _say)
    sizes = Sizes(tasks=tasks, singles=singles)
    try:
        compare(peers, rounds, lambda peer: run(peer, sizes), record, _say)
    finally:
        # Half of a comparison is worth keeping, too.
        write(record, output)
    _say(f"wrote {output} after {record.took_s / 60:.1f} min")
    if to_documents:
        report.publish(record)
    sys.stdout.write(report.targets_table(record) + "\n")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _leave(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
