"""What is measured, at one moment: all that rules may look at. Gathered by `hub.alerts.watch`, judged by the engine.

What could not be found out, or was not asked for this time, is None: nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hub.store.alerts import AwayNode, QueueHead
from hub.store.assignments import NodeProfile
from hub.store.now import Now


class PresentNode(Struct, frozen=True, gc=False):
    """A node with a live session. ``skew_s``: how far its wall clock is ahead of the hub's, None if it does not say."""

    profile: NodeProfile
    name: str
    version: str
    takes_work: bool
    skew_s: float | None = None

    @property
    def id(self) -> str:
        """The node's id."""
        return self.profile.node_id

    @property
    def labels(self) -> dict[str, str]:
        """The node's labels."""
        return self.profile.labels


class HubStart(Struct, frozen=True, kw_only=True):
    """The start of this process on a store that was in use before, and what it found there."""

    at: float
    started_s: float
    tasks: Mapping[str, int]
    nodes: int


class Disk(Struct, frozen=True, kw_only=True):
    """The file system that holds the hub's state."""

    path: str
    free_bytes: int
    total_bytes: int


class Certificate(Struct, frozen=True, kw_only=True):
    """A certificate of the hub's, by the file that it came from."""

    path: str
    expires_at: float


class Token(Struct, frozen=True, kw_only=True):
    """A token that is good, or was until it ran out."""

    id: str
    name: str
    role: str
    created_at: float
    expires_at: float


class Alarm(Struct, frozen=True, kw_only=True):
    """What the hub's core raised (`hub.decisions.effects.Alarm`) since the look before."""

    kind: str
    node_id: str
    message: str


class NameCounts(Struct, frozen=True):
    """Attempts of a name that ended since this process began, and how many of them failed."""

    ended: int
    failed: int


class Facts(Struct, frozen=True, kw_only=True):
    """One look.

    ``watched_s``: how long this process has looked. ``departures`` are ids of nodes that lost their connection since
    the look before, once for each time; ``alarms`` what was raised since then.
    """

    now: Now
    watched_s: float
    hub_version: str = ""
    degraded: str | None = None
    is_suspicious: bool = False
    start: HubStart | None = None
    present: Sequence[PresentNode] = ()
    away: Sequence[AwayNode] | None = None
    departures: Sequence[str] = ()
    alarms: Sequence[Alarm] = ()
    has_queue: bool = False
    oldest_queued_at: float | None = None
    heads: Sequence[QueueHead] | None = None
    names: Mapping[str, NameCounts] | None = None
    disk: Disk | None = None
    certificates: Sequence[Certificate] | None = None
    tokens: Sequence[Token] | None = None
