"""What a seed stands for: how many nodes, which leases, and what goes wrong when. Drawn once, before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from hub.decisions.intake import NODE_BYTES_MAX, RESULT_BYTES

Kind = Literal["calm", "links", "nodes", "leases", "fleet", "twins", "backup"]

# A lease that no run can outlive.
ENDLESS_S = 100_000.0

# The size of a payload: some are larger than the whole of a backlog.
PAYLOAD_BYTES = (2, 10, 40)

# How many seeds in a hundred are of each kind.
_SHARES: dict[Kind, int] = {"calm": 3, "links": 24, "nodes": 38, "leases": 12, "fleet": 6, "twins": 8, "backup": 9}

# Faults of hub and link: none of these may cost an attempt.
GENTLE_FAULTS = (
    "hub_killed",
    "hub_killed",
    "hub_killed",
    "hub_killed_soon",
    "hub_stopped",
    "hub_still",
    "hub_disk_full",
    "cut",
    "cut",
    "half_open",
    "block",
    "slow",
    "disconnect",
    "wall_jump",
)

# Faults of nodes and of those who run them.
NODE_FAULTS = (
    "node_killed",
    "node_killed",
    "node_killed",
    "node_killed_soon",
    "node_still",
    "node_drained",
    "node_terminated",
    "node_left_slowly",
    "node_left_slowly",
    "node_disk_full",
    "cordon",
    "drain_wish",
    "node_gone",
    "node_restarted",
)


# Faults that part a node from its hub while both live.
LEASE_FAULTS = ("block", "block", "block", "block", "half_open", "node_still", "slow", "hub_killed", "hub_disk_full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong: when, what, where (a node's number), for how long, and after how many steps."""

    at_s: float
    what: str
    node: int
    seconds: float
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One seed, written out."""

    seed: int
    kind: Kind
    nodes: int
    slots: tuple[int, ...]
    heartbeat_s: float
    leases_s: tuple[float, ...]
    admissions_per_s: float
    acts: int
    faults_s: float
    faults: tuple[Fault, ...]
    backlog_bytes_max: int
    intake_bytes_max: int

    @property
    def is_gentle(self) -> bool:
        """Whether only hub and links fail, and no lease can run out."""
        return self.kind in {"calm", "links"}

    @property
    def is_long(self) -> bool:
        """Whether handlers outlive leases."""
        return self.kind == "leases"


def plan_of(seed: int) -> Plan:
    """Write a seed out."""
    luck = random.Random(f"{seed}/plan")
    kind = luck.choices(list(_SHARES), list(_SHARES.values()))[0]
    nodes = luck.randint(5, 8) if kind == "fleet" else luck.choice((2, 2, 3, 4))
    heartbeat_s = luck.choice((2.0, 5.0, 10.0))
    faults_s = luck.uniform(15, 60)
    gentle = kind in {"calm", "links"}
    if kind == "leases":
        faults_s, heartbeat_s = luck.uniform(40, 60), 2.0
    leases_s = (
        (ENDLESS_S,)
        if gentle
        else (4.0, 8.0)
        if kind == "leases"
        else luck.choice(((4.0, 10.0), (10.0, 30.0), (20.0, 60.0), (15.0, 60.0)))
    )
    return Plan(
        seed=seed,
        kind=kind,
        nodes=nodes,
        # Where leases run out another node must have room at once, or nobody would see two handlers at a time.
        slots=tuple(luck.choice((1, 1, 2, 3, 6)) + (3 if kind == "leases" else 0) for _ in range(nodes)),
        heartbeat_s=heartbeat_s,
        leases_s=leases_s,
        admissions_per_s=luck.choice((300.0, 300.0, 2.0)),
        acts=luck.randint(4, 16),
        faults_s=faults_s,
        faults=_faults(luck, kind, nodes, faults_s),
        # So little that some push waits for another in every seed, and that one slot's task may be too much.
        backlog_bytes_max=luck.choice((1, 12, 30, 60)),
        # So little that one result, or a few, have their connection left unread; or none ever has.
        intake_bytes_max=luck.choice((1, 3 * RESULT_BYTES, NODE_BYTES_MAX)),
    )


def _faults(luck: random.Random, kind: Kind, nodes: int, faults_s: float) -> tuple[Fault, ...]:
    if kind == "calm":
        return ()
    choices = GENTLE_FAULTS if kind == "links" else (*GENTLE_FAULTS, *NODE_FAULTS)
    if kind == "leases":
        # Long enough for a lease to run out, while the handler and its node live.
        names = [luck.choice(LEASE_FAULTS) for _ in range(luck.randint(2, 5))]
        return _in_order(
            replace(_fault(luck, name, nodes, faults_s * 0.6), seconds=luck.uniform(12, 45)) for name in names
        )
    names = [luck.choice(choices) for _ in range(luck.randint(1, 8))]
    if kind == "twins":
        names += ["twin", *(luck.choice(("cut", "half_open", "block", "node_still")) for _ in range(2))]
    faults = [_fault(luck, name, nodes, faults_s) for name in names]
    if kind == "backup":
        saved_s = luck.uniform(0, faults_s * 0.8)
        faults.append(Fault(at_s=saved_s, what="backup", node=0, seconds=0, steps=0))
        faults.append(
            Fault(at_s=luck.uniform(saved_s, faults_s), what="restore", node=0, seconds=luck.uniform(0.1, 15), steps=0)
        )
    return _in_order(faults)


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.at_s))


def _fault(luck: random.Random, what: str, nodes: int, faults_s: float) -> Fault:
    return Fault(
        at_s=luck.uniform(0.5, faults_s),
        what=what,
        node=luck.randrange(nodes),
        seconds=luck.choice((luck.uniform(0.05, 2), luck.uniform(1, 15), luck.uniform(10, 50))),
        steps=luck.randrange(40),
    )
