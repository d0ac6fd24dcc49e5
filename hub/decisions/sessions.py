"""A node's session in the hub's memory, and who may take it over.

A session outlives short disconnects. It is a cache: everything in it is told again by the node's next `register`, or
stands in the store.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from hub.decisions.backlog import BACKLOG_BYTES_MAX, Backlog
from hub.decisions.effects import ConnectionId
from hub.decisions.leases import is_silent
from hub.store.assignments import NodeProfile
from hub.store.nodes import NodeRegistration
from protocol.frames import AttemptKey, Heartbeat, Register

# How long a session without a connection is remembered. Longer than any restart of a link; a node that comes later
# registers again, which costs it one more round trip.
REMEMBERED_S = 600.0


class Session:
    """One registration of a node.

    ``connection`` is None while the node is away. ``spread_s`` is what it was last told. ``is_ready``: its inventory is
    reconciled, so that it may be given work. ``is_unread``: what it says is not read for now, so its silence says
    nothing. ``held`` is what the store says it holds; ``settling`` the part of it whose results are on their way to the
    store; ``aside`` counts the slots that were put aside for operations under way on this connection; ``backlog`` is
    what waits to be sent on it; ``skew_s`` says how far the node's wall clock is ahead of ours, None if it does not
    tell.
    """

    __slots__ = (
        "aside",
        "backlog",
        "connection",
        "cordoned",
        "draining",
        "heard_s",
        "heartbeat",
        "held",
        "instance_id",
        "is_ready",
        "is_unread",
        "leaving",
        "logs_under_way",
        "node_id",
        "profile",
        "registration",
        "session_id",
        "settling",
        "skew_s",
        "spread_s",
    )

    def __init__(self, frame: Register, session_id: str, connection: ConnectionId, now_s: float) -> None:
        self.node_id = frame.node_id
        self.instance_id = frame.instance_id
        self.session_id = session_id
        self.connection: ConnectionId | None = connection
        self.profile = NodeProfile(node_id=frame.node_id, handlers=frozenset(frame.handlers), labels=frame.labels)
        self.registration = NodeRegistration(
            name=frame.name,
            labels=frame.labels,
            slots=frame.slots,
            handlers=frame.handlers,
            version=frame.version,
        )
        self.heard_s = now_s
        self.heartbeat = Heartbeat(sequence=0)
        self.skew_s: float | None = None
        self.is_ready = False
        self.is_unread = False
        self.cordoned = False
        self.draining = False
        self.leaving = frame.draining
        self.aside = 0
        self.backlog = Backlog(BACKLOG_BYTES_MAX)
        self.logs_under_way = 0
        self.spread_s = 0.0
        self.held: set[AttemptKey] = set()
        self.settling: set[AttemptKey] = set()

    @property
    def takes_work(self) -> bool:
        """Whether its free slots may be offered."""
        return self.is_ready and not (self.cordoned or self.draining or self.leaving)

    @property
    def slots_free(self) -> int:
        """Slots that neither hold an attempt nor are put aside; below 0 where a node came back with fewer."""
        return self.registration.slots - len(self.held) - self.aside


class LiveNode(Struct, frozen=True, kw_only=True):
    """What only a live session knows of a node; everything else is in the store. ``unsent_bytes``: of tasks that wait
    to be sent; ``unsent_tasks``: those that wait behind them; ``has_room``: it may be given more.
    """

    slots_in_use: int
    outbox: int
    load: float | None
    loop_lag_ms: float | None
    round_trip_ms: float | None
    draining: bool
    heard_s: float
    unsent_bytes: int = 0
    unsent_tasks: int = 0
    has_room: bool = True


class Fleet(Struct, frozen=True, kw_only=True):
    """What all live sessions hold together. ``outbox``: results that no hub has acked, as the last heartbeats say."""

    sessions: int = 0
    slots: int = 0
    slots_in_use: int = 0
    outbox: int = 0


Succession: TypeAlias = Literal["first", "same_instance", "proven_dead", "silent", "conflict"]


def succession(session: Session | None, frame: Register, heartbeat_s: float, now_s: float) -> Succession:
    """Decide whether a registration may take a node's session over; all but `conflict` may.

    The same instance has lost its connection, whether or not we have noticed. Another instance must prove that the old
    one is dead (it holds the lock on the same state folder), or find it away or silent; a half-open socket must not
    lock a node out for ever.
    """
    if session is None or session.connection is None:
        return "first"
    if session.instance_id == frame.instance_id:
        return "same_instance"
    if session.instance_id in frame.predecessors:
        return "proven_dead"
    if is_silent(now_s - session.heard_s, heartbeat_s):
        return "silent"
    return "conflict"
