"""Run seeds, one by one or in several processes, and say what became of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from hub.store.sqlite.store import SqliteStore
from tests.simulation.broken import RULES, kit_of
from tests.simulation.facts import BrokenError
from tests.simulation.faults import strike
from tests.simulation.installation import Installation
from tests.simulation.plan import plan_of

# A folder in memory: no seed waits for a disk.
MEMORY = Path("/dev/shm")

# Seeds that one process runs at a time; enough that handing them out costs nothing.
CHUNK = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReport:
    """What became of one seed. ``promise`` and ``what`` are empty where all held."""

    seed: int
    promise: str = ""
    what: str = ""
    trace: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not self.promise


class Bench:
    """A folder for one seed after another, and an empty database to copy."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="moorline-seeds-", dir=MEMORY if MEMORY.is_dir() else None))
        self._empty = self._folder / "empty.db"
        SqliteStore.open(self._empty, durability="normal").close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *raised: object) -> None:
        shutil.rmtree(self._folder)

    def run(self, seed: int, broken: str = "", *, is_traced: bool = False) -> SeedReport:
        """Run one seed."""
        folder = self._folder / str(seed)
        folder.mkdir()
        shutil.copyfile(self._empty, folder / "hub.db")
        try:
            with kit_of(broken) as kit:
                installation = Installation(plan_of(seed), folder, kit, is_traced=is_traced)
                promise, what = _try(installation)
        finally:
            shutil.rmtree(folder)
        return SeedReport(seed=seed, promise=promise, what=what, trace=tuple(installation.trace.lines))


def _try(installation: Installation) -> tuple[str, str]:
    try:
        installation.run(strike)
    except BrokenError as error:
        installation.trace.note("truth", f"BROKEN {error}")
        return error.promise, error.what
    except Exception as error:
        # The edge of a seed: what the product raises here is a bug that a seed has found.
        installation.trace.note("truth", f"RAISED {error!r}")
        return "nothing raises", repr(error)
    return "", ""


def run_here(seeds: Iterable[int], broken: str = "") -> Iterator[SeedReport]:
    """Run seeds in this process."""
    with Bench() as bench:
        for seed in seeds:
            yield bench.run(seed, broken)


def run_in_processes(seeds: range, broken: str = "", *, jobs: int) -> Iterator[SeedReport]:
    """Run seeds in several processes; gives reports in the order of the seeds."""
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for reports in pool.map(_run_chunk, chunks, [broken] * len(chunks)):
            yield from reports


def _run_chunk(seeds: range, broken: str) -> list[SeedReport]:
    return list(run_here(seeds, broken))


def check_rule(broken: str) -> None:
    """Refuse a rule that there is none of. Raises ValueError with the names that there are."""
    if broken and broken not in RULES:
        raise ValueError(f"there is no rule named {broken}; there are: {', '.join(sorted(RULES))}")
