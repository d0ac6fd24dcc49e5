"""Questions about nodes, on a connection that cannot write.

There are thousands at most: each list looks at them all.
"""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from hub.store.node_views import NodeCell, NodePage, NodeQuery, NodeView
from hub.store.sqlite import bulk
from hub.store.sqlite.conditions import Condition, all_of
from hub.store.sqlite.connection import snapshot
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
_ids = msgspec.json.Decoder(list[tuple[str]])
_cells = msgspec.json.Decoder(list[NodeCell])
_place = msgspec.json.Decoder(_Place)
_encode = msgspec.json.Encoder().encode

_BUSY: Final = "SELECT node_id, COUNT(*) AS used FROM tasks WHERE held = 1 GROUP BY node_id"

# How many of its slots are in use, for a few nodes; `_BUSY` is quicker for all of them.
_IN_USE: Final = "(SELECT COUNT(*) FROM tasks WHERE held = 1 AND tasks.node_id = nodes.id) AS slots_in_use"

# What sessions say, if that was given.
_LIVE: Final = (
    "SELECT value ->> 0 AS id, value ->> 1 AS used, value ->> 2 AS outbox, value ->> 3 AS rtt_ms FROM json_each(?)"
)


def view(connection: sqlite3.Connection, node_id: str) -> NodeView | None:
    """Give one node."""
    rest = f"FROM (SELECT nodes.*, {_IN_USE} FROM nodes WHERE id = ?)"
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
    shown = _shown(query)
    matching = all_of([of_term(term, query.at) for term in query.terms])
    wanted = all_of([matching, _behind(query)])
    with snapshot(connection):
        # Only ids are put into order: the rest of a node is looked at where it is shown.
        key, order = SORT_KEYS[query.sort], "DESC" if query.is_descending else "ASC"
        chosen = (
            f"SELECT id FROM {shown.text} WHERE {wanted.text} ORDER BY ({key}) IS NULL, ({key}) {order}, id LIMIT ?"
        )
        values = (*shown.values, *wanted.values, query.limit + 1)
        ids = [node_id for (node_id,) in bulk.read(connection, _ids, "id", f"FROM ({chosen})", values)]
        nodes = _views_of(connection, ids[: query.limit])
        total = _total(connection, query, shown, matching)
        cursor = _cursor(connection, query, shown, ids[query.limit - 1]) if len(ids) > query.limit else None
    return NodePage(nodes=nodes, total=total, cursor=cursor)


def _shown(query: NodeQuery) -> Condition:
    """Give the nodes with what terms and order ask for, and no more."""
    asked = {query.sort, *(term.field for term in query.terms)}
    columns, tables = "nodes.*", "nodes"
    values: tuple[bulk.Value, ...] = ()
    if asked & {"used", "free"}:
        columns += ", COALESCE(live.used, busy.used, 0) AS slots_in_use"
        tables += f" LEFT JOIN ({_BUSY}) AS busy ON busy.node_id = nodes.id"
    if asked & {"used", "free", "outbox", "rtt"}:
        columns += ", live.outbox AS outbox, live.rtt_ms AS rtt_ms"
        tables += f" LEFT JOIN ({_LIVE}) AS live ON live.id = nodes.id"
        values = (bulk.among_rows(query.live),)
    return Condition(f"(SELECT {columns} FROM {tables})", values)


def _views_of(connection: sqlite3.Connection, ids: Sequence[str]) -> list[NodeView]:
    """Give nodes in the order of their ids."""
    rest = f"FROM (SELECT nodes.*, {_IN_USE} FROM nodes WHERE id IN (SELECT value FROM json_each(?)))"
    found = {node.id: node for node in bulk.read(connection, _nodes, _COLUMNS, rest, (bulk.among(ids),))}
    return [_view(found[node_id]) for node_id in ids]


def _total(connection: sqlite3.Connection, query: NodeQuery, shown: Condition, matching: Condition) -> int:
    if not query.terms:
        return int(connection.execute("SELECT COUNT(*) FROM nodes").fetchone()[0])
    statement, values = f"SELECT COUNT(*) FROM {shown.text} WHERE {matching.text}", (*shown.values, *matching.values)
    return int(connection.execute(statement, values).fetchone()[0])


def _cursor(connection: sqlite3.Connection, query: NodeQuery, shown: Condition, node_id: str) -> str:
    """Give the place of a node in the order. Its key is asked for by itself: JSON would cost it some digits."""
    statement = f"SELECT {SORT_KEYS[query.sort]} FROM {shown.text} WHERE id = ?"
    (key,) = connection.execute(statement, (*shown.values, node_id)).fetchone()
    place = _Place(query.sort, query.is_descending, key, node_id)
    return base64.urlsafe_b64encode(_encode(place)).decode().rstrip("=")


def _behind(query: NodeQuery) -> Condition:
    """Give the condition that a node stands behind the cursor."""
    if query.cursor is None:
        return Condition("1")
    place = _place_of(query.cursor)
    if (place.sort, place.is_descending) != (query.sort, query.is_descending):
        raise ValueError("cursor is one of another order; give the sort that it was made with")
    key = SORT_KEYS[query.sort]
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
