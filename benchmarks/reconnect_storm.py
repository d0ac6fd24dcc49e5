"""Claim: after a crash of the hub, thousands of sessions are registered again about as fast as bare clients connect.

In the same run, one after the other: a hub with its sessions, and a bare `websockets` server with as many bare clients,
are killed (SIGKILL) and started again, and are away for equally long. Both are counted from the moment at which the
port takes connections again, until the last node has its `registered`, or the last client its handshake. What a hub
adds (frames, decisions, a commit for every registration) is the ratio of the two.

The nodes' waits come from the real code, and the bare clients have the same with full jitter
(`benchmarks.bare_client`). The hub's admission rate is set so high that it decides nothing; `benchmarks.storm` is
about that.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.claim import Claim, at_most
from benchmarks.crowd import Crowd, crowd
from benchmarks.installation import (
    CROWDED,
    READY_WITHIN_S,
    afterwards,
    conditions,
    free_port,
    hub_in,
    working_folder,
)
from benchmarks.process import Process
from benchmarks.settings import command, setting

# Longer than the longest wait between two dials, and the work of coming in on a machine that others use too.
ALL_IN_WITHIN_S: Final = 180.0

RATIO_MAX: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    sessions: int = setting(5000, "Sessions, and bare clients.")
    down_s: float = setting(1.0, "From the kill of the hub to its start; the bare server is away for equally long.")
    rounds: int = setting(3, "Restarts of each; the medians count.")
    settle_s: float = setting(2.0, "From the moment when all are in to the kill.")
    processes: int = setting(2, "Processes that hold the other ends.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """How a crowd came back once: seconds for which nobody listened, and from then until all were in."""

    away_s: float
    back_s: float
    dials: int
    failures: int
    server_cpu_s: float


def measure(settings: Settings) -> Claim:
    """Measure both, the hub first: how long it is away decides how long the bare server is."""
    before = conditions()
    with working_folder() as folder:
        nodes = _nodes_return(folder, settings)
        clients = _clients_return(folder, settings, [once.away_s for once in nodes])
    ours, theirs = _figures(nodes), _figures(clients)
    ratio = round(ours["back_s_median"] / theirs["back_s_median"], 2)
    return Claim(
        claim="sessions are registered again about as fast as bare clients connect",
        figures={"ratio": ratio, "hub": ours, "bare": theirs},
        targets=[at_most("registered against bare connects", RATIO_MAX, ratio, "x")],
        settings={
            "hub_flags": " ".join(CROWDED),
            "counted_from": "the port takes connections",
            **asdict(settings),
        },
        conditions=afterwards(before),
    )


def _nodes_return(folder: Path, settings: Settings) -> list[Return]:
    with (
        hub_in(folder, *CROWDED) as hub,
        crowd("idle-node", hub.node_url, "node", settings.sessions, settings.processes, folder) as nodes,
    ):

        def start(_killed_s: float) -> None:
            # That nobody is there for so long is part of the measurement.
            time.sleep(settings.down_s)
            hub.start()

        nodes.wait_until_in(ALL_IN_WITHIN_S)
        returns = [_restart(hub, hub.node_port, nodes, start, settings) for _ in range(settings.rounds)]
        online = hub.stats()["nodes"].get("online", 0)
        if online != settings.sessions:
            raise RuntimeError(f"the hub says that {online} of {settings.sessions} nodes are online")
    return returns


def _clients_return(folder: Path, settings: Settings, away_s: Sequence[float]) -> list[Return]:
    port = free_port()
    server = Process("server", folder, ["-m", "benchmarks.bare_server", str(port)])

    def start_for(missed_s: float) -> Callable[[float], None]:
        # Started at once, and listening when it is time: how long an interpreter takes to start is not the question.
        def start(killed_s: float) -> None:
            server.start(str(killed_s + missed_s))

        return start

    try:
        server.start("0")
        server.wait_for(lambda: _is_open(port), "a bare server", READY_WITHIN_S)
        url = f"ws://127.0.0.1:{port}"
        with crowd("bare-client", url, "client", settings.sessions, settings.processes, folder) as clients:
            clients.wait_until_in(ALL_IN_WITHIN_S)
            return [_restart(server, port, clients, start_for(missed_s), settings) for missed_s in away_s]
    finally:
        server.kill()


def _restart(server: Process, port: int, crowd: Crowd, start: Callable[[float], None], settings: Settings) -> Return:
    """Kill a server with everybody in, have it started again, and wait until everybody is in."""
    time.sleep(settings.settle_s)
    killed_s = server.kill()
    start(killed_s)
    open_s = server.wait_for(lambda: _is_open(port), "a port that takes connections", READY_WITHIN_S)
    entrance = crowd.wait_until_in(ALL_IN_WITHIN_S, since_s=killed_s)
    return Return(
        away_s=open_s - killed_s,
        back_s=entrance.all_in_s - open_s,
        dials=entrance.dials,
        failures=entrance.failures,
        server_cpu_s=server.cpu_s(),
    )


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _figures(returns: Sequence[Return]) -> dict[str, Any]:
    return {
        "back_s": [round(once.back_s, 2) for once in returns],
        "back_s_median": round(statistics.median(once.back_s for once in returns), 3),
        "away_s": [round(once.away_s, 2) for once in returns],
        "dials": [once.dials for once in returns],
        "dials_failed": [once.failures for once in returns],
        # With the start of the interpreter.
        "server_cpu_s": [round(once.server_cpu_s, 2) for once in returns],
    }


main = command(Settings, measure, "Measure how fast thousands of sessions come back.")

if __name__ == "__main__":
    main()
