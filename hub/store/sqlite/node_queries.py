"""Questions about nodes, on a connection that cannot write.

There are thousands at most: each list looks at them all.
"""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import base64
import binascii
import sqlite3
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from hub.store.contract import NodeCell, NodePage, NodeQuery, NodeView
from hub.store.sqlite import bulk
from hub.store.sqlite.conditions import Condition, all_of
from hub.store.sqlite.node_terms import SORT_KEYS, of_term

NodeState = Literal["online", "draining", "unreachable", "gone"]


class _StoredNode(Struct, array_like=True):
    """One row of `nodes` as it is shown."""

    id: str
    name: str
    state: NodeState
    cordoned: int
    draining: int
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


_COLUMNS: Final = (
    "id, name, state, cordoned, draining, json(labels), slots, slots_in_use, json(handlers), version, instance_id,"
    " session_id, first_seen_at, last_seen_at, connected_at, connects, disconnects, last_disconnect_at,"
    " last_disconnect_reason, succeeded, failed, cancelled, lost, run_s"
)

_Key: TypeAlias = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | None


class _Place(Struct, frozen=True, array_like=True):
    """Where a page ended: in which order, and the key and the id of its last node."""

    sort: str
    is_descending: bool
    key: _Key
    id: str


_nodes = msgspec.json.Decoder(list[_StoredNode])
_cells = msgspec.json.Decoder(list[NodeCell])
_place = msgspec.json.Decoder(_Place)
_encode = msgspec.json.Encoder().encode

_BUSY: Final = "SELECT node_id, COUNT(*) AS used FROM tasks WHERE held = 1 GROUP BY node_id"

# What is stored of each node, and beside it what its session says, if that was given.
_SHOWN: Final = (
    "SELECT nodes.*, COALESCE(live.used, busy.used, 0) AS slots_in_use, live.outbox AS outbox, live.rtt_ms AS rtt_ms"
    f" FROM nodes LEFT JOIN ({_BUSY}) AS busy ON busy.node_id = nodes.id"
    " LEFT JOIN (SELECT value ->> 0 AS id, value ->> 1 AS used, value ->> 2 AS outbox, value ->> 3 AS rtt_ms"
    " FROM json_each(?)) AS live ON live.id = nodes.id"
)


def view(connection: sqlite3.Connection, node_id: str) -> NodeView | None:
    """Give one node."""
    in_use = "(SELECT COUNT(*) FROM tasks WHERE held = 1 AND tasks.node_id = nodes.id) AS slots_in_use"
    rest = f"FROM (SELECT nodes.*, {in_use} FROM nodes WHERE id = ?)"
    found = bulk.read(connection, _nodes, _COLUMNS, rest, (node_id,))
    return _view(found[0]) if found else None


def views(connection: sqlite3.Connection) -> list[NodeView]:
    """Give all nodes by id."""
    joined = f"nodes LEFT JOIN ({_BUSY}) AS busy ON busy.node_id = nodes.id"
    rest = f"FROM (SELECT nodes.*, IFNULL(used, 0) AS slots_in_use FROM {joined} ORDER BY id)"
    return [_view(node) for node in bulk.read(connection, _nodes, _COLUMNS, rest)]


def cells(connection: sqlite3.Connection) -> list[NodeCell]:
    """Give all nodes by id, as a map shows them."""
    joined = f"nodes LEFT JOIN ({_BUSY}) AS busy ON busy.node_id = nodes.id"
    is_cordoned = "json(iif(cordoned, 'true', 'false'))"
    columns = f"id, state, slots, IFNULL(used, 0), {is_cordoned}"
    return bulk.read(connection, _cells, columns, f"FROM (SELECT * FROM {joined} ORDER BY id)")


def page(connection: sqlite3.Connection, query: NodeQuery) -> NodePage:
    """Give a page of nodes.

    Raises:
        ValueError: the cursor is none of ours, or one of another order.
    """
    shown = Condition(f"({_SHOWN})", (bulk.among_rows(query.live),))
    matching = all_of([of_term(term, query.at) for term in query.terms])
    total = _total(connection, query, shown, matching)
    order = "DESC" if query.is_descending else "ASC"
    key = SORT_KEYS[query.sort]
    wanted = all_of([matching, _behind(query, key)])
    rest = (
        f"FROM (SELECT * FROM {shown.text} WHERE {wanted.text} ORDER BY ({key}) IS NULL, ({key}) {order}, id LIMIT ?)"
    )
    found = bulk.read(connection, _nodes, _COLUMNS, rest, (*shown.values, *wanted.values, query.limit + 1))
    nodes = [_view(node) for node in found[: query.limit]]
    if len(found) <= query.limit:
        return NodePage(nodes=nodes, total=total, cursor=None)
    # Asked for by itself: numbers lose digits on their way through JSON.
    statement = f"SELECT {key} FROM {shown.text} WHERE id = ?"
    (last_key,) = connection.execute(statement, (*shown.values, nodes[-1].id)).fetchone()
    place = _Place(query.sort, query.is_descending, last_key, nodes[-1].id)
    return NodePage(nodes=nodes, total=total, cursor=base64.urlsafe_b64encode(_encode(place)).decode().rstrip("="))


def _total(connection: sqlite3.Connection, query: NodeQuery, shown: Condition, matching: Condition) -> int:
    if not query.terms:
        return int(connection.execute("SELECT COUNT(*) FROM nodes").fetchone()[0])
    statement, values = f"SELECT COUNT(*) FROM {shown.text} WHERE {matching.text}", (*shown.values, *matching.values)
    return int(connection.execute(statement, values).fetchone()[0])


def _behind(query: NodeQuery, key: str) -> Condition:
    """Give the condition that a node stands behind the cursor."""
    if query.cursor is None:
        return Condition("1")
    place = _place_of(query.cursor)
    if (place.sort, place.is_descending) != (query.sort, query.is_descending):
        raise ValueError("cursor is one of another order; give the sort that it was made with")
    is_null, compared = place.key is None, "<" if query.is_descending else ">"
    text = f"((({key}) IS NULL) > ? OR ((({key}) IS NULL) = ? AND (({key}) {compared} ? OR (({key}) IS ? AND id > ?))))"
    return Condition(text, (is_null, is_null, place.key, place.key, place.id))


def _place_of(cursor: str) -> _Place:
    try:
        return _place.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise ValueError(f"cursor is {cursor[:40]!r}; give one that an earlier page named, as it was") from None


def _view(node: _StoredNode) -> NodeView:
    return NodeView(
        id=node.id,
        name=node.name,
        state=node.state,
        cordoned=node.cordoned == 1,
        draining=node.draining == 1,
        labels=node.labels,
        slots=node.slots,
        slots_in_use=node.slots_in_use,
        handlers=node.handlers,
        version=node.version,
        instance_id=node.instance_id,
        session_id=node.session_id,
        first_seen_at=node.first_seen_at,
        last_seen_at=node.last_seen_at,
        connected_at=node.connected_at,
        connects=node.connects,
        disconnects=node.disconnects,
        last_disconnect_at=node.last_disconnect_at,
        last_disconnect_reason=node.last_disconnect_reason,
        succeeded=node.succeeded,
        failed=node.failed,
        cancelled=node.cancelled,
        lost=node.lost,
        run_s=node.run_s,
    )
