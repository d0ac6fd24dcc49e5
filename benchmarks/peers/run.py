"""One peer does its work once: server, worker and client as processes of their own, all ended afterwards."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from benchmarks.peers.environments import FOLDER, interpreter
from benchmarks.peers.figures import Figures, quantile
from benchmarks.peers.peer import Peer
from benchmarks.peers.processes import Program, ProgramError, running
from benchmarks.peers.servers import server_of

# A slow peer needs about ten seconds for its work; a machine that is shared is much slower.
CLIENT_WITHIN_S: Final = 240.0
PREPARED_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much work there is at most; a peer that is slow gets less."""

    tasks: int = 20_000
    singles: int = 1000
    warm_up: int = 1000

    def of(self, peer: Peer) -> tuple[int, int, int]:
        """Give the tasks, those that go one at a time, and those of the warm-up, which is never most of the work."""
        tasks = min(self.tasks, peer.tasks)
        return tasks, min(self.singles, peer.singles), max(1, min(self.warm_up, tasks // 4))


def run(peer: Peer, sizes: Sizes) -> Figures:
    """Let the peer do its work; give its figures.

    Raises:
        UnavailableError: It or its server cannot be had here.
        ProgramError: It did not do its work.
    """
    python = interpreter(peer.environment, peer.packages)
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as ends:
        # Below the project, so that commits go to a real disk and not to memory.
        FOLDER.mkdir(exist_ok=True)
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=FOLDER)))
        variant = {"PEER_VARIANT": peer.variant}
        address, beside = ends.enter_context(server_of(peer, folder))

        def command(role: str, *more: str) -> list[str]:
            return [python, str(peer.script), role, address, str(folder), *more]

        if "prepare" in peer.roles:
            ends.enter_context(running("prepare", command("prepare"), folder, variant)).finish(
                PREPARED_WITHIN_S, beside
            )
        if "worker" in peer.roles:
            beside = [*beside, ends.enter_context(running("worker", command("worker"), folder, variant))]
        work = command("client", *map(str, sizes.of(peer)))
        client = ends.enter_context(running("client", work, folder, variant))
        try:
            client.finish(CLIENT_WITHIN_S, beside)
        except ProgramError as failure:
            raise ProgramError(_with_words(failure, beside)) from failure
        return read(client.output.read_bytes(), load_before=load_before, load_after=os.getloadavg()[0])


def read(line: bytes, *, load_before: float, load_after: float) -> Figures:
    """Make figures of the one JSON line that a client prints: ``tasks``, ``seconds``, ``times_ms`` of single ones.

    Raises:
        ProgramError: It is not such a line.
    """
    try:
        told = orjson.loads(line)
        times_ms = sorted(float(time_ms) for time_ms in told["times_ms"])
        return Figures(
            tasks=told["tasks"],
            tasks_per_s=round(told["tasks"] / told["seconds"], 1),
            p50_ms=round(quantile(times_ms, 0.50), 3),
            p99_ms=round(quantile(times_ms, 0.99), 3),
            singles=len(times_ms),
            load_before=round(load_before, 2),
            load_after=round(load_after, 2),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, ZeroDivisionError, IndexError) as error:
        raise ProgramError(f"the client printed no figures ({error!r}): {line[:200]!r}") from error


def _with_words(failure: ProgramError, beside: list[Program]) -> str:
    """Add what the others said last: the cause of a client's end often stands there."""
    return "; ".join([str(failure), *(f"{program.name} said: {program.words()}" for program in beside)])
