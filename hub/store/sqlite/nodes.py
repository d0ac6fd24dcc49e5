"""Nodes: who they are, whether they are there, and what an operator wants of them."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from hub.decisions.reconciliation import judge_kept, reconcile
from hub.decisions.samples import STEP_S
from hub.decisions.settlement import return_unstarted
from hub.store.assignments import Assignment, Fetch, Fetched
from hub.store.node_views import NodeView
from hub.store.nodes import (
    HUB_STOPPED,
    HubStarted,
    Inherited,
    NodeLeaving,
    NodeLeft,
    NodeSeen,
    Reconciled,
    RegisterNode,
)
from hub.store.sqlite import bulk, codes, node_queries, rows, settling
from hub.store.sqlite.claiming import ASSIGNED_BYTES_MAX
from hub.store.sqlite.settling import Settled
from hub.store.sqlite.transaction import Transaction
from hub.store.wishes import NodeWish
from protocol.frames import AttemptKey

_encode = msgspec.json.Encoder().encode

# Payload bytes that the fetches of one transaction read, as much as one that assigns (`hub.store.sqlite.claiming`).
FETCHED_BYTES_MAX: Final = ASSIGNED_BYTES_MAX


class _Wishes(Struct, array_like=True):
    state: str
    cordoned: int
    draining: int


_wishes = msgspec.json.Decoder(list[_Wishes])
_ids = msgspec.json.Decoder(list[tuple[str]])
_holders = msgspec.json.Decoder(list[tuple[str, str]])


# --- coming and going ------------------------------------------------------------------------------------------------


def register(tx: Transaction, operation: RegisterNode) -> Reconciled:
    """Note that a node is here, and hold its inventory against what is stored."""
    node_id = operation.node_id
    wishes = _wishes_of(tx, node_id)
    drains = operation.leaving or (wishes is not None and wishes.draining == 1)
    state = "draining" if drains else "online"
    _note_presence(tx, operation, state)
    if wishes is None or wishes.state != state:
        tx.node_state(node_id, state)
    held = rows.select(tx.connection, "WHERE held = 1 AND node_id = ?", (node_id,))
    inventory = operation.inventory
    named = rows.by_ids(tx.connection, {task_id for task_id, _ in (*inventory.running, *inventory.results)})
    found = reconcile(
        [rows.row_of(task) for task in held],
        {task_id: rows.row_of(task) for task_id, task in named.items()},
        inventory,
        operation.instance_id,
        operation.predecessors,
    )
    tasks = {task.task_id: task for task in held}
    settling.write(tx, [Settled(tasks[change.row.task_id], change) for change in found.changes])
    return Reconciled(
        keep=found.keep,
        stop=found.stop,
        forget=found.forget,
        cancel=found.cancel,
        push=found.push,
        held=found.held,
        unknown=found.unknown,
        cordoned=wishes is not None and wishes.cordoned == 1,
        draining=wishes is not None and wishes.draining == 1,
    )


def fetch(tx: Transaction, operation: Fetch) -> Fetched:
    """Read what is to be pushed to an instance that lacks it, and free what was cancelled before it was."""
    condition = "tasks.id IN (SELECT value FROM json_each(?))"
    named = bulk.among([task_id for task_id, _ in operation.keys])
    stored = rows.select_ordered(tx.connection, condition, "tasks.seq", [named], payload=True)
    by_id = {task.task_id: task for task in stored}
    # However many nodes came at once: what one transaction reads is in memory as a whole.
    left_bytes = min(operation.bytes_max, FETCHED_BYTES_MAX - tx.fetched_bytes)
    assignments: list[Assignment] = []
    gone: list[AttemptKey] = []
    settled: list[Settled] = []
    for key in operation.keys:
        task = by_id.get(key[0])
        verdict = judge_kept(key, None if task is None else rows.row_of(task), operation.node_id, operation.instance_id)
        if task is None or verdict == "gone":
            gone.append(key)
        elif verdict != "push":
            settled.append(Settled(task, verdict))
            gone.append(key)
        elif left_bytes > 0:
            payload = rows.payload_of(tx.connection, task)
            left_bytes -= len(payload)
            tx.fetched_bytes += len(payload)
            assignments.append(rows.assignment_of(task, tx.classes.get(task.class_id).name, payload))
    settling.write(tx, settled)
    return Fetched(assignments=assignments, gone=gone)


def _note_presence(tx: Transaction, operation: RegisterNode, state: str) -> None:
    now_s = tx.now.wall_s
    values = (operation.node_id, state, operation.instance_id, operation.session_id, now_s, now_s, now_s)
    tx.connection.execute(
        "INSERT INTO nodes (id, state, instance_id, session_id, first_seen_at, last_seen_at, connected_at, connects)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, instance_id = excluded.instance_id,"
        " session_id = excluded.session_id, last_seen_at = excluded.last_seen_at,"
        " connected_at = excluded.connected_at, connects = connects + 1, unreachable_since = NULL",
        values,
    )
    said = operation.registration
    if said is not None:
        labels, handlers = _encode(said.labels).decode(), _encode(sorted(said.handlers)).decode()
        tx.connection.execute(
            "UPDATE nodes SET name = ?, labels = ?, slots = ?, handlers = ?, version = ? WHERE id = ?",
            (said.name, labels, said.slots, handlers, said.version, operation.node_id),
        )


def leaving(tx: Transaction, operation: NodeLeaving) -> None:
    """Note that a node drains by itself, if its session is still the one that is known."""
    changed = tx.connection.execute(
        "UPDATE nodes SET state = 'draining' WHERE id = ? AND instance_id = ? AND session_id = ? AND state = 'online'",
        (operation.node_id, operation.instance_id, operation.session_id),
    ).rowcount
    if changed:
        tx.node_state(operation.node_id, "draining")


def left(tx: Transaction, operation: NodeLeft) -> None:
    """Note that a node's connection is gone, if it is still the one that is known."""
    now = tx.now
    state = "gone" if operation.gone else "unreachable"
    changed = tx.connection.execute(
        "UPDATE nodes SET state = ?, disconnects = disconnects + 1, last_disconnect_at = ?, last_disconnect_reason = ?,"
        " connected_at = NULL, unreachable_since = ?"
        " WHERE id = ? AND instance_id = ? AND session_id = ? AND state IN ('online', 'draining')",
        (
            state,
            now.wall_s,
            operation.reason,
            now.steady_s,
            operation.node_id,
            operation.instance_id,
            operation.session_id,
        ),
    ).rowcount
    if changed:
        tx.node_state(operation.node_id, state, operation.reason)
    if changed and operation.gone:
        # `bye` says that it holds nothing: what was assigned since was never pushed, or dropped unread.
        condition = "WHERE held = 1 AND node_id = ? AND instance_id = ?"
        held = rows.select(tx.connection, condition, (operation.node_id, operation.instance_id))
        changes = ((task, return_unstarted(rows.row_of(task))) for task in held)
        settling.write(tx, [Settled(task, change) for task, change in changes if change is not None])


def seen(tx: Transaction, operation: NodeSeen) -> None:
    """Note who was heard of."""
    now_s = tx.now.wall_s
    values = [(node_id, instance_id, now_s) for node_id, instance_id in operation.nodes]
    # The instance is compared in the assignment: one statement serves many nodes.
    assignments = "last_seen_at = iif(instance_id = column2, column3, last_seen_at)"
    bulk.update(tx.connection, "nodes", "id", assignments, values)


def wish(tx: Transaction, operation: NodeWish) -> NodeView | None:
    """Note what an operator wants of a node."""
    node_id = operation.node_id
    before = _wishes_of(tx, node_id)
    if before is None:
        return None
    cordoned = before.cordoned if operation.cordoned is None else int(operation.cordoned)
    draining = before.draining if operation.draining is None else int(operation.draining)
    state = before.state
    # A node that drains without an operator's wish does so by itself, and goes on.
    if state == "online" and draining:
        state = "draining"
    elif state == "draining" and before.draining and not draining:
        state = "online"
    if (cordoned, draining, state) != (before.cordoned, before.draining, before.state):
        values = (cordoned, draining, state, node_id)
        tx.connection.execute("UPDATE nodes SET cordoned = ?, draining = ?, state = ? WHERE id = ?", values)
    if cordoned != before.cordoned:
        tx.event("node.cordoned" if cordoned else "node.uncordoned", node_id=node_id)
    if state != before.state:
        tx.node_state(node_id, state)
    tx.flush_totals()
    return node_queries.view(tx.connection, node_id)


def hub_started(tx: Transaction, operation: HubStarted) -> Inherited:
    """Note that no node is connected, and say what the hub takes over."""
    lived_until = _lived_until(tx)
    rest = "FROM nodes WHERE state IN ('online', 'draining')"
    for (node_id,) in bulk.read(tx.connection, _ids, "id", rest):
        tx.event("node.unreachable", node_id=node_id, reason=f"hub {operation.hub_id} started")
        tx.begin_span(node_id, "unreachable", HUB_STOPPED, lived_until)
    tx.connection.execute(
        "UPDATE nodes SET state = 'unreachable', connected_at = NULL, unreachable_since = ?,"
        " disconnects = disconnects + 1, last_disconnect_at = ?, last_disconnect_reason = ?"
        " WHERE state IN ('online', 'draining')",
        (tx.now.steady_s, tx.now.wall_s, HUB_STOPPED),
    )
    holders = bulk.read(
        tx.connection,
        _holders,
        "node_id, instance_id",
        "FROM (SELECT DISTINCT node_id, instance_id FROM tasks WHERE held = 1 ORDER BY 1, 2)",
    )
    nodes = tx.connection.execute("SELECT COUNT(*) FROM nodes WHERE state = 'unreachable'").fetchone()[0]
    return Inherited(holders=holders, tasks=codes.by_state(tx.ledger.counts), nodes=nodes)


def _lived_until(tx: Transaction) -> float:
    """Give the time of the last sign that the hub before this one left: since then nobody can have been connected."""
    now = tx.now
    found = tx.connection.execute(
        "SELECT (SELECT MAX(last_seen_at) FROM nodes), (SELECT MAX(at) FROM samples WHERE step_s = ?),"
        " (SELECT at FROM event_batches ORDER BY first_id DESC LIMIT 1) - ?",
        (STEP_S, now.steady_s - now.wall_s),
    ).fetchone()
    return min(now.wall_s, max((at for at in found if at is not None), default=now.wall_s))


def mark_gone(tx: Transaction, gone_after_s: float, batch: int) -> int:
    """Note nodes as gone that have been unreachable for so long; give how many."""
    rest = "FROM (SELECT id FROM nodes WHERE state = 'unreachable' AND unreachable_since <= ? LIMIT ?)"
    found = bulk.read(tx.connection, _ids, "id", rest, (tx.now.steady_s - gone_after_s, batch))
    for (node_id,) in found:
        tx.node_state(node_id, "gone", f"not heard of for {gone_after_s:.0f} s")
    bulk.update(tx.connection, "nodes", "id", "state = column2", [(node_id, "gone") for (node_id,) in found])
    return len(found)


def _wishes_of(tx: Transaction, node_id: str) -> _Wishes | None:
    found = bulk.read(tx.connection, _wishes, "state, cordoned, draining", "FROM nodes WHERE id = ?", (node_id,))
    return found[0] if found else None
