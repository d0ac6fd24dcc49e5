"""Thousands of connections, held by processes of their own: idle nodes of a hub, or bare clients of a bare server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import orjson

from benchmarks.process import Process

Kind = Literal["idle-node", "bare-client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """The moment at which everybody was in: on `time.monotonic`, which all processes of a machine share.

    ``dials`` and ``failures`` count the tries since the entrance before, and those of them that came to nothing.
    """

    all_in_s: float
    dials: int
    failures: int


class Crowd:
    """Visitors of one kind at one address, spread over a few processes.

    Args:
        kind: what they are (`benchmarks.crowd_process`).
        url: where they go.
        prefix: what their names begin with.
        count: how many they are.
        processes: how many processes hold them; at most ``count``.
        folder: where the processes' output goes.
    """

    def __init__(self, kind: Kind, url: str, prefix: str, count: int, processes: int, folder: Path) -> None:
        shares = [count // processes + (place < count % processes) for place in range(processes)]
        self._processes = [
            Process(
                f"{prefix}{place}",
                folder,
                ["-m", "benchmarks.crowd_process", kind, url, f"{prefix}{place}-", str(share)],
            )
            for place, share in enumerate(shares)
        ]

    def start(self) -> None:
        """Start the processes."""
        for process in self._processes:
            process.start()

    def kill(self) -> None:
        """End the processes. Twice is harmless."""
        for process in self._processes:
            process.kill()

    def wait_until_in(self, within_s: float, since_s: float = 0.0) -> Entrance:
        """Wait until everybody has come in; counts what was told after ``since_s`` (`time.monotonic`).

        Raises:
            RuntimeError: somebody is not in in time, or a process has ended.
        """
        told = []
        for process in self._processes:
            process.wait_for(partial(first_since, process, since_s), "all of a crowd are in", within_s)
            told.append(first_since(process, since_s))
        entrances = [entrance for entrance in told if entrance is not None]
        return Entrance(
            all_in_s=max(entrance.all_in_s for entrance in entrances),
            dials=sum(entrance.dials for entrance in entrances),
            failures=sum(entrance.failures for entrance in entrances),
        )


def first_since(process: Process, since_s: float) -> Entrance | None:
    """Give the first entrance after a time. There may have been others: who is dropped comes back at any time."""
    entrances = (Entrance(**orjson.loads(line)) for line in process.lines())
    return next((entrance for entrance in entrances if entrance.all_in_s > since_s), None)


@contextmanager
def crowd(kind: Kind, url: str, prefix: str, count: int, processes: int, folder: Path) -> Iterator[Crowd]:
    """Start a crowd; end it."""
    people = Crowd(kind, url, prefix, count, processes, folder)
    try:
        people.start()
        yield people
    finally:
        people.kill()
