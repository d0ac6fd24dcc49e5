"""One process of a crowd: visitors that come in, stay until they are thrown out, and come back.

``python -m benchmarks.crowd_process KIND URL PREFIX COUNT`` runs until it is killed. Whenever everybody is in, it
prints one line: the fields of `benchmarks.crowd.Entrance` as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

from benchmarks.bare_client import BareClient
from benchmarks.claim import print_json
from benchmarks.idle_node import IdleNode
from node.event_loops import new_event_loop

# The first time they come in an orderly line, so many at once: a storm is only measured where it is meant.
FIRST_AT_ONCE: Final = 32


class Visitor(Protocol):
    """Somebody who holds a connection."""

    async def enter(self) -> float | None:
        """Try once to come in: None if it is in, else the seconds to wait before it tries again."""
        ...

    async def stay(self) -> float:
        """Stay until the connection ends; give the seconds to wait before it comes back."""
        ...


KINDS: Final[dict[str, Callable[[str, str], Visitor]]] = {"idle-node": IdleNode, "bare-client": BareClient}
"""Each kind, made of the address and a name."""


class Tally:
    """Counts who is in, and says so when everybody is."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._inside = 0
        self._dials = 0
        self._failures = 0

    def tried(self, *, is_in: bool) -> None:
        """Somebody tried to come in."""
        self._dials += 1
        self._failures += not is_in
        self._inside += is_in
        if is_in and self._inside == self._count:
            print_json({"all_in_s": time.monotonic(), "dials": self._dials, "failures": self._failures})
            self._dials = self._failures = 0

    def left(self) -> None:
        """Somebody was thrown out."""
        self._inside -= 1


async def come_in(visitor: Visitor, tally: Tally) -> None:
    """Try until it is in."""
    while (wait_s := await visitor.enter()) is not None:
        tally.tried(is_in=False)
        await asyncio.sleep(wait_s)
    tally.tried(is_in=True)


async def hold(visitor: Visitor, tally: Tally, line: asyncio.Semaphore) -> None:
    """Hold one visitor's connection, for ever."""
    async with line:
        await come_in(visitor, tally)
    while True:
        wait_s = await visitor.stay()
        tally.left()
        await asyncio.sleep(wait_s)
        await come_in(visitor, tally)


async def hold_all(kind: str, url: str, prefix: str, count: int) -> None:
    """Hold all connections, for ever."""
    tally = Tally(count)
    line = asyncio.Semaphore(FIRST_AT_ONCE)
    async with asyncio.TaskGroup() as visitors:
        for number in range(count):
            visitors.create_task(hold(KINDS[kind](url, f"{prefix}{number:05}"), tally, line))


def main() -> None:
    """Hold the connections that the command line says."""
    kind, url, prefix, count = sys.argv[1:]
    # A hub that is killed is no news here, and a log line for each of thousands would be work.
    logging.disable(logging.CRITICAL)
    _, descriptors_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, descriptors_max))
    # Thousands of long-lived tasks are looked through in vain; what this process costs is not to decide a figure.
    gc.set_threshold(50_000)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(hold_all(kind, url, prefix, int(count)))


if __name__ == "__main__":
    main()
