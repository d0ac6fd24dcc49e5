"""What queries say of nodes, and which nodes they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from hub.decisions.filter_terms import Term


class NodeView(Struct, frozen=True, kw_only=True):
    """A stored node. Totals only grow, whatever reconnects or restarts."""

    id: str
    name: str
    state: Literal["online", "draining", "unreachable", "gone"]
    cordoned: bool
    draining: bool
    labels: dict[str, str]
    slots: int
    slots_in_use: int
    handlers: list[str]
    version: str
    instance_id: str
    session_id: str
    first_seen_at: float
    last_seen_at: float
    connected_at: float | None
    connects: int
    disconnects: int
    last_disconnect_at: float | None
    last_disconnect_reason: str
    succeeded: int
    failed: int
    cancelled: int
    lost: int
    run_s: float


NodeSort: TypeAlias = Literal[
    "id", "name", "state", "version", "slots", "used", "free", "outbox", "rtt", "age", "seen", "connects",
    "succeeded", "failed",
]  # fmt: skip


# More nodes than a hub has: a list without a limit.
NODES_MAX = 1_000_000


class NodeQuery(Struct, frozen=True, kw_only=True):
    """Which nodes to list, and how.

    ``terms`` must all hold; the times in them are counted back from ``at``, on the wall clock. ``live`` gives
    ``(node id, slots in use, outbox, round trip in ms)`` of those that are connected; it is asked for by terms and
    sorts about these and may be empty for others. Nodes of which a sort knows nothing come last, in both directions.
    """

    terms: Sequence[Term] = ()
    at: float = 0.0
    live: Sequence[tuple[str, int, int, float | None]] = ()
    sort: NodeSort = "id"
    is_descending: bool = False
    limit: int = NODES_MAX
    cursor: str | None = None


class NodePage(Struct, frozen=True, kw_only=True):
    """Nodes in the order that was asked for. ``total`` counts all that match; ``cursor`` is None after the last page.
    Behind a cursor come those that sort behind the node where the page ended, whatever has changed since.
    """

    nodes: list[NodeView]
    total: int
    cursor: str | None


class NodeCell(Struct, frozen=True, array_like=True):
    """A node as a map shows it."""

    id: str
    state: Literal["online", "draining", "unreachable", "gone"]
    slots: int
    slots_in_use: int
    cordoned: bool
