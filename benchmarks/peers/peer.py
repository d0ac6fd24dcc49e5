"""What is compared: one system in one setting."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

SCRIPTS: Final = Path(__file__).parent / "scripts"

ServerKind = Literal["hub", "redis", "redis-synced", "nats", "jetstream", "jetstream-synced", "postgres", "own", "none"]
"""What must run before a worker can: one of `benchmarks.peers.servers`, the script's own `server`, or nothing."""

Role = Literal["server", "prepare", "worker", "client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One row of the comparison.

    ``packages`` are installed into an environment of their own, which peers with the same ``environment`` share; none:
    the script runs with Moorline's interpreter. ``variant`` is told to the script as
    ``PEER_VARIANT``. ``tasks`` and ``singles`` are how many it is given in a round: fewer
    where it is slow, since a rate counts. ``on_submit`` and ``on_result`` say what is on a disk, synced, when a submit
    returns and when a result is seen, by the documents named in ``source``; ``is_synced`` if that is all of it. A floor
    is no task system: it shows what the wire or the disk alone would allow.
    """

    name: str
    label: str
    script: Path
    server: ServerKind
    on_submit: str
    on_result: str
    source: str
    settings: str
    environment: str = ""
    packages: tuple[str, ...] = ()
    variant: str = ""
    tasks: int = 20_000
    singles: int = 1000
    roles: frozenset[Role] = field(default=frozenset({"worker", "client"}))
    is_synced: bool = False
    is_floor: bool = False
