"""Free slots that nodes offer, the attempts that are assigned to them, and those that are read to be pushed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from protocol.frames import AttemptKey


class NodeProfile(Struct, frozen=True, kw_only=True):
    """What decides whether a node can serve a class."""

    node_id: str
    handlers: frozenset[str] = frozenset()
    labels: dict[str, str] = {}


class Offer(Struct, frozen=True, kw_only=True):
    """``free`` slots of one instance that the hub has put aside for the operation that carries this offer.

    No more are filled once the payloads of what was assigned come to ``bytes_max`` bytes: the task that passes them is
    the last.
    """

    profile: NodeProfile
    instance_id: str
    free: int
    bytes_max: int


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


class Fetch(Struct, frozen=True, kw_only=True):
    """Read what is to be pushed to an instance that lacks these attempts, in order. Answer: `Fetched`.

    Nothing was said to the instance about any of them since they were assigned. An attempt that was cancelled meanwhile
    is freed: there is nothing to stop. What runs there is given with its payload until ``bytes_max`` bytes are reached;
    the one that passes them is the last.
    """

    node_id: str
    instance_id: str
    keys: Sequence[AttemptKey]
    bytes_max: int


class Fetched(Struct, frozen=True, kw_only=True):
    """Answer to `Fetch`. ``gone`` are no longer that instance's. What is in neither is to be fetched again."""

    assignments: list[Assignment]
    gone: list[AttemptKey]
