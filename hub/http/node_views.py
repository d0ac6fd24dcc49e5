"""What the API shows of nodes."""

from __future__ import annotations

from msgspec import Struct

from hub.decisions.sessions import LiveNode
from hub.store.node_views import NodeCell, NodeView


class Disconnect(Struct, frozen=True, kw_only=True):
    """When and why a node's connection ended."""

    at: float
    reason: str


class NodeTotals(Struct, frozen=True, kw_only=True):
    """What a node has done since it was first seen. Only grows, whatever restarts."""

    succeeded: int
    failed: int
    cancelled: int
    lost: int
    run_s: float


class NodeObject(Struct, frozen=True, kw_only=True):
    """A node. ``round_trip_ms``, ``load`` (1 minute) and ``outbox`` (results on their way) are known while it is
    connected.
    """

    id: str
    name: str
    state: str
    cordoned: bool
    labels: dict[str, str]
    slots: int
    slots_in_use: int
    handlers: list[str]
    version: str
    first_seen_at: float
    last_seen_at: float
    connected_at: float | None
    connects: int
    disconnects: int
    last_disconnect: Disconnect | None
    totals: NodeTotals
    session_id: str | None
    round_trip_ms: float | None
    load: float | None
    outbox: int | None


class NodePage(Struct, frozen=True, kw_only=True):
    """Nodes in the order that was asked for. ``total``: how many match; ``cursor`` is null after the last page."""

    nodes: list[NodeObject]
    total: int
    cursor: str | None


class MapAnswer(Struct, frozen=True, kw_only=True):
    """All nodes by id; each is ``[id, state, slots, slots in use, is cordoned]``."""

    nodes: list[NodeCell]


def node_object(view: NodeView, live: LiveNode | None) -> NodeObject:
    """Show a stored node, with what only its live session knows."""
    left = None
    if view.last_disconnect_at is not None:
        left = Disconnect(at=view.last_disconnect_at, reason=view.last_disconnect_reason)
    return NodeObject(
        id=view.id,
        name=view.name,
        state=view.state,
        cordoned=view.cordoned,
        labels=view.labels,
        slots=view.slots,
        slots_in_use=view.slots_in_use if live is None else live.slots_in_use,
        handlers=view.handlers,
        version=view.version,
        first_seen_at=view.first_seen_at,
        last_seen_at=view.last_seen_at,
        connected_at=view.connected_at,
        connects=view.connects,
        disconnects=view.disconnects,
        last_disconnect=left,
        totals=NodeTotals(
            succeeded=view.succeeded,
            failed=view.failed,
            cancelled=view.cancelled,
            lost=view.lost,
            run_s=view.run_s,
        ),
        session_id=view.session_id or None,
        round_trip_ms=None if live is None else live.round_trip_ms,
        load=None if live is None else live.load,
        outbox=None if live is None else live.outbox,
    )
