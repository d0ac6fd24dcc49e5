"""How a node is, for probes and people on its own machine: connected or not, since when and why, and what it holds.

Ready means that a hub can give it work. A node that is not ready is no reason to end it: what it runs goes on, and it
comes back by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from node.decisions.effects import Dial, Joined


class NodeHealth(Struct, frozen=True, kw_only=True):
    """One moment of a node. Times are seconds since 1970.

    ``reasons`` say why it is not ``ready``. ``since``: when it last was connected or lost that. ``hub``: the address
    that it is connected to or dials next. ``reason``: why there is no session, as the node's log says it. ``parked``:
    only a person can help. ``confirmed_age_s``: how long ago the node sent what the hub acknowledged last; None before
    the first time. ``outbox``: results that no hub has acknowledged.
    """

    ready: bool
    reasons: list[str]
    at: float
    node_id: str
    instance_id: str
    version: str
    pid: int
    connected: bool
    since: float
    hub: str
    session_id: str | None
    reason: str
    parked: bool
    draining: bool
    confirmed_age_s: float | None
    running: int
    slots: int
    outbox: int
    outbox_writes: bool


Look: TypeAlias = Callable[[], NodeHealth | None]
"""Looks at the node, on the session's loop; None while it still starts."""


class Connectedness:
    """Whether there is a session, since when, and if not, why: kept from what the core has done. Handed the time."""

    def __init__(self, hub: str, began_at: float) -> None:
        self.connected = False
        self.since = began_at
        self.hub = hub
        self.session_id: str | None = None
        self.reason = "it has just started"
        self.parked = False

    def joined(self, joined: Joined, at: float) -> None:
        """There is a session."""
        self.connected, self.since = True, at
        self.hub, self.session_id = joined.url, joined.session_id
        self.reason, self.parked = "", False

    def lost(self, dial: Dial, at: float) -> None:
        """There is none, or still none."""
        if self.connected:
            self.connected, self.since = False, at
        self.hub, self.session_id = dial.url, None
        self.reason, self.parked = dial.reason or self.reason, dial.is_parked


class Holdings(Struct, frozen=True, kw_only=True):
    """What a node holds and does at this moment, as its core says."""

    draining: bool
    confirmed_age_s: float | None
    running: int
    slots: int
    outbox: int
    outbox_writes: bool


def health_of(
    link: Connectedness, holdings: Holdings, *, node_id: str, instance_id: str, version: str, pid: int, at: float
) -> NodeHealth:
    """Put together how a node is."""
    reasons = _reasons(link, holdings, at)
    return NodeHealth(
        ready=not reasons,
        reasons=reasons,
        at=at,
        node_id=node_id,
        instance_id=instance_id,
        version=version,
        pid=pid,
        connected=link.connected,
        since=link.since,
        hub=link.hub,
        session_id=link.session_id,
        reason=link.reason,
        parked=link.parked,
        draining=holdings.draining,
        confirmed_age_s=holdings.confirmed_age_s,
        running=holdings.running,
        slots=holdings.slots,
        outbox=holdings.outbox,
        outbox_writes=holdings.outbox_writes,
    )


def _reasons(link: Connectedness, holdings: Holdings, at: float) -> list[str]:
    found: list[str] = []
    if link.parked:
        found.append(f"parked, a person must act: {link.reason}")
    elif not link.connected:
        found.append(f"no session with a hub for {max(0.0, at - link.since):.0f} s: {link.reason}")
    if not holdings.outbox_writes:
        found.append("the outbox cannot be written")
    if holdings.draining:
        found.append("the node drains")
    return found


def status_of(health: NodeHealth) -> str:
    """Say in a line how a node is, for the service manager."""
    work = f"{health.running} of {health.slots} slots in use, {health.outbox} results not acknowledged"
    if health.ready:
        return f"connected to {health.hub}: {work}"
    # How long it has lasted is left out: a line that changes every second is news every second.
    why = f"no session with a hub: {health.reason}" if not health.connected and not health.parked else ""
    reasons = [reason for reason in health.reasons if not reason.startswith("no session")]
    return "; ".join([*filter(None, [why]), *reasons, work])
