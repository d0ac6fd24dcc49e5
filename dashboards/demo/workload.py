"""What is to be done: a mixture of diagnosis tasks on this machine's own files and on servers of the demo's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# About every fifth task takes 1-4 s: with a dozen slots some are always in their middle, whatever is killed when.
LONG_EVERY = 5
LONG_S = (1.0, 4.0)

# The last tasks are quick ones: nobody wants to watch two slow ones wait for each other.
LONG_SHARE = 0.85

# Small enough that a tree takes a fraction of a second on one busy processor.
TREE_BYTES_MAX = 8 << 20
ENTRIES_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A task to submit."""

    name: str
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What there is to look at on this machine. Folders exist and can be read."""

    http_port: int
    tcp_port: int
    closed_port: int
    tls_port: int | None
    """None if no certificate could be made; certificates are not checked then."""
    ca_path: str | None
    code_folders: Sequence[str]
    """Folders with enough files that looking through one is work, and few enough that it is soon done."""
    log_folders: Sequence[str]


def plan(count: int, surroundings: Surroundings, seed: int) -> list[PlannedTask]:
    """Make a mixture of ``count`` tasks; the same seed gives the same one."""
    # Which folder is looked at when is no secret.
    chance = random.Random(seed)  # noqa: S311
    quick = _quick(surroundings)
    long = _long(surroundings)
    return [
        chance.choice(long if index % LONG_EVERY == 0 and index < LONG_SHARE * count else quick)(chance)
        for index in range(count)
    ]


_Maker = Callable[[random.Random], PlannedTask]


def _quick(around: Surroundings) -> list[_Maker]:
    makers: list[_Maker] = [
        lambda chance: _task("host_report", sample_s=round(chance.uniform(0.1, 0.5), 2)),
        lambda _: _task("tcp_check", host="127.0.0.1", port=around.tcp_port),
        lambda _: _task("tcp_check", host="127.0.0.1", port=around.closed_port),
        lambda chance: _task("http_check", url=_url(around, chance.uniform(0.05, 0.6))),
        lambda _: _task("look_up_name", name="localhost"),
        lambda chance: _task("largest_files", folder=chance.choice(around.code_folders), entries_max=ENTRIES_MAX),
        lambda chance: _task("search_logs", folder=chance.choice(around.log_folders), pattern=r"(?i)\b(error|warn)"),
        lambda chance: _task(
            "checksum_tree", folder=chance.choice(around.code_folders), bytes_max=TREE_BYTES_MAX, listed_max=5
        ),
    ]
    if around.tls_port is not None:
        makers.append(
            lambda _: _task("certificate_check", host="localhost", port=around.tls_port, ca_path=around.ca_path)
        )
    return makers


def _long(around: Surroundings) -> list[_Maker]:
    return [
        lambda chance: _task("http_check", url=_url(around, chance.uniform(*LONG_S))),
        lambda chance: _task("host_report", sample_s=round(chance.uniform(*LONG_S), 2)),
    ]


def _url(around: Surroundings, delay_s: float) -> str:
    return f"http://127.0.0.1:{around.http_port}/after/{delay_s:.2f}"


def _task(name: str, /, **payload: object) -> PlannedTask:
    return PlannedTask(name=f"diagnosis.{name}", payload=payload)
