"""Hundreds of nodes in one process: real sessions over real sockets, without threads, disks or handlers.

``python -m tests.faults.light_nodes HUB PREFIX COUNT LOG GATE`` runs until it is killed. To ``LOG`` it appends a
line for each dial that came to something: who, when, and what the hub made of it. What is pushed runs until the file
``GATE`` is there, and is noted as `node.truth` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from node.clock import steady_s
from node.connection import Connection, Dialer
from node.decisions.core import Profile
from node.decisions.effects import Ended
from node.errors import DialError
from node.event_loops import new_event_loop
from node.journal import Entry
from node.session import Session
from node.truth import Truth
from protocol.frames import AttemptKey, Task
from protocol.limits import RESULT_BYTES_MAX

# A sitter looks for the gate so often; nothing that is measured depends on it.
LOOK_EVERY_S = 0.2

HANDLER = "sit"


class Log:
    """What became of each dial, on the clock that all processes of this machine share."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, node_id: str, what: Literal["admitted", "refused", "unreachable"]) -> None:
        os.write(self._file, json.dumps({"node": node_id, "what": what, "at_s": steady_s()}).encode() + b"\n")


class NotingDialer:
    """One node's use of a dialer that all share (it has certificates to read); tells what became of each dial."""

    def __init__(self, dialer: Dialer, node_id: str, log: Log) -> None:
        self._dialer = dialer
        self._node_id = node_id
        self._log = log

    async def dial(self, url: str) -> Connection:
        try:
            connection = await self._dialer.dial(url)
        except DialError as error:
            self._log.note(self._node_id, "unreachable" if error.retry_after_s is None else "refused")
            raise
        self._log.note(self._node_id, "admitted")
        return connection


class Memory:
    """Stands where the outbox stands, and forgets with the process."""

    def __init__(self, on_stored: Callable[[list[AttemptKey]], None], **_: object) -> None:
        self._on_stored = on_stored

    def load(self) -> list[Entry]:
        return []

    def start(self) -> None:
        pass

    def put(self, entries: Sequence[Entry]) -> None:
        self._on_stored([entry.key for entry in entries])

    def forget(self, keys: Sequence[AttemptKey]) -> None:
        pass

    def close(self) -> None:
        pass


class Sitter:
    """Stands where the executor stands: whatever it is given runs until the gate is open."""

    def __init__(self, truth: Truth, gate: Path, *, on_ended: Callable[[list[Ended]], None], **_: object) -> None:
        self._truth = truth
        self._gate = gate
        self._on_ended = on_ended
        self._sitting: dict[AttemptKey, asyncio.Task[None]] = {}
        self.result_bytes_max = RESULT_BYTES_MAX

    def start(self) -> None:
        pass

    def run(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            key = (task.task_id, task.attempt)
            self._truth.note(key, "start")
            self._sitting[key] = asyncio.get_running_loop().create_task(self._sit(key))

    async def _sit(self, key: AttemptKey) -> None:
        started_s = steady_s()
        while not self._gate.exists():
            await asyncio.sleep(LOOK_EVERY_S)
        self._truth.note(key, "end")
        del self._sitting[key]
        self._on_ended([Ended(key=key, outcome="succeeded", started_s=started_s, ended_s=steady_s())])

    def stop(self, key: AttemptKey) -> None:
        if (sitting := self._sitting.pop(key, None)) is not None:
            sitting.cancel()
            self._on_ended([Ended(key=key, outcome="cancelled", ended_s=steady_s())])

    def close(self) -> None:
        for sitting in self._sitting.values():
            sitting.cancel()


class NoFolder:
    """Stands where the state folder stands."""

    path = Path(os.devnull)

    def forget_predecessors(self) -> None:
        pass


async def hold(hub: str, node_id: str, dialer: Dialer, log: Log, gate: Path) -> None:
    """Hold one node's session, for ever."""
    profile = Profile(node_id=node_id, instance_id=f"{node_id}-i", hubs=(hub,), slots=1, handlers=[HANDLER])

    def make_executor(**told: Any) -> Sitter:
        return Sitter(truth, gate, **told)

    with contextlib.closing(Truth(node_id, profile.instance_id)) as truth:
        # These do all that the session asks of the real ones.
        parts: dict[str, Any] = {
            "dialer": NotingDialer(dialer, node_id, log),
            "folder": NoFolder(),
            "open_outbox": Memory,
            "make_executor": make_executor,
        }
        await Session(profile, **parts).run()


async def hold_all(hub: str, prefix: str, count: int, log: Log, gate: Path) -> None:
    dialer = Dialer()
    async with asyncio.TaskGroup() as nodes:
        for number in range(count):
            nodes.create_task(hold(hub, f"{prefix}{number:04}", dialer, log, gate))


def main() -> None:
    hub, prefix, count, log, gate = sys.argv[1:]
    # What happens to each of hundreds of nodes is in the log of dials.
    logging.disable(logging.CRITICAL)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(hold_all(hub, prefix, int(count), Log(Path(log)), Path(gate)))


if __name__ == "__main__":
    main()
