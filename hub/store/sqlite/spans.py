"""The states of each node over time. A span ends where the next one begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hub.store.history import NodeSpan
from hub.store.now import Now
from hub.store.sqlite import bulk

# A month of a node that comes and goes is seen as a month; of one that flaps, the last thousand changes are enough.
KEPT_S: Final = 30 * 24 * 3600.0
KEPT_PER_NODE_MAX: Final = 1000


class Turn(Struct, frozen=True):
    """A node's state from ``at`` on, and why."""

    node_id: str
    state: str
    reason: str
    at: float


class _Stored(Struct, array_like=True):
    state: str
    reason: str
    began_at: float
    ended_at: float | None


_newest = msgspec.json.Decoder(list[tuple[str, int, int]])
_stored = msgspec.json.Decoder(list[_Stored])


def write(connection: sqlite3.Connection, turns: Sequence[Turn], now: Now) -> None:
    """End the open spans of these nodes, and begin new ones. The turns of a node are in order."""
    by_node: dict[str, list[Turn]] = {}
    for turn in turns:
        by_node.setdefault(turn.node_id, []).append(turn)
    rest = (
        "FROM (SELECT node_spans.* FROM json_each(?) AS wanted JOIN node_spans ON node_spans.id ="
        " (SELECT id FROM node_spans WHERE node_id = wanted.value ORDER BY number DESC LIMIT 1))"
    )
    newest = bulk.read(connection, _newest, "node_id, id, number", rest, (bulk.among(by_node),))
    ended: list[bulk.Row] = [(span_id, by_node[node_id][0].at, now.steady_s) for node_id, span_id, _ in newest]
    bulk.update(connection, "node_spans", "id", "ended_at = column2, kept_from = column3", ended)
    numbers = {node_id: number for node_id, _, number in newest}
    begun: list[bulk.Row] = []
    for node_id, of_node in by_node.items():
        # Of several turns in one transaction only the last one lasts.
        ends = [*((turn.at, now.steady_s) for turn in of_node[1:]), (None, None)]
        for turn, end in zip(of_node, ends, strict=True):
            numbers[node_id] = number = numbers.get(node_id, 0) + 1
            begun.append((node_id, number, turn.state, turn.reason, turn.at, *end))
    bulk.insert(connection, "node_spans", "node_id, number, state, reason, began_at, ended_at, kept_from", begun)
    _keep_few(connection, numbers)


def _keep_few(connection: sqlite3.Connection, numbers: dict[str, int]) -> None:
    """Remove the oldest spans of nodes that have too many."""
    many = [(node_id, number - KEPT_PER_NODE_MAX) for node_id, number in numbers.items() if number > KEPT_PER_NODE_MAX]
    for node_id, number in many:
        connection.execute("DELETE FROM node_spans WHERE node_id = ? AND number <= ?", (node_id, number))


def remove_old(connection: sqlite3.Connection, now: Now, batch: int) -> int:
    """Remove spans that ended long ago; give how many. The one that lasts stays, however old."""
    rest = "FROM (SELECT id FROM node_spans WHERE kept_from < ? ORDER BY kept_from LIMIT ?)"
    statement = f"DELETE FROM node_spans WHERE id IN (SELECT id {rest})"  # noqa: S608 - no value is in it
    return connection.execute(statement, (now.steady_s - KEPT_S, batch)).rowcount


def of_node(connection: sqlite3.Connection, node_id: str, since: float) -> list[NodeSpan]:
    """Give the spans of a node that had not ended at ``since``, oldest first."""
    rest = "FROM (SELECT * FROM node_spans WHERE node_id = ? AND (ended_at IS NULL OR ended_at > ?) ORDER BY number)"
    found = bulk.read(connection, _stored, "state, reason, began_at, ended_at", rest, (node_id, since))
    return [
        NodeSpan(state=span.state, reason=span.reason, began_at=span.began_at, ended_at=span.ended_at) for span in found
    ]
