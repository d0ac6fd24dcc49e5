"""Free slots that nodes offer, and the attempts that are assigned to them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class NodeProfile(Struct, frozen=True, kw_only=True):
    """What decides whether a node can serve a class."""

    node_id: str
    handlers: frozenset[str] = frozenset()
    labels: dict[str, str] = {}


class Offer(Struct, frozen=True, kw_only=True):
    """``free`` slots of one instance that the hub has put aside for the operation that carries this offer."""

    profile: NodeProfile
    instance_id: str
    free: int


class Assignment(Struct, frozen=True, kw_only=True, gc=False):
    """A committed attempt that is to be pushed to one instance."""

    task_id: str
    attempt: int
    node_id: str
    instance_id: str
    name: str
    payload: bytes
    timeout_s: float | None
    lease_s: float


class Claim(Struct, frozen=True, kw_only=True):
    """Fill offered slots with what is queued: for each instance highest priority first, then first come."""

    offers: Sequence[Offer]


class Claimed(Struct, frozen=True, kw_only=True):
    """Answer to `Claim`."""

    assignments: list[Assignment]
