"""Alerts, the messages about them, silences; and what rules ask of nodes and of the queue."""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from hub.store.alerts import (
    KEPT_S,
    RESOLVED_KEPT_MAX,
    SILENCES_KEPT_MAX,
    AlertMemory,
    AlertRow,
    AwayNode,
    ForgetMessages,
    NoteAlerts,
    OutboundMessage,
    PutSilence,
    QueueHead,
    SilenceRow,
)
from hub.store.sqlite import bulk
from hub.store.sqlite.codes import QUEUED
from hub.store.sqlite.transaction import Transaction

_encode = msgspec.json.Encoder().encode


class _StoredAlert(Struct, array_like=True):
    rule: str
    subject: str
    id: str
    kind: str
    severity: Literal["warning", "critical"]
    state: Literal["firing", "resolved"]
    message: str
    value: float | None
    node_id: str
    since_at: float
    fired_at: float
    resolved_at: float | None
    told: tuple[str, ...]


_COLUMNS: Final = (
    "rule, subject, id, kind, severity, state, message, value, node_id, since_at, fired_at, resolved_at, told"
)
_KEPT: Final = "id = excluded.id OR state = 'resolved'"
_NEW_VALUES: Final = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[2:])

_alerts = msgspec.json.Decoder(list[_StoredAlert])
_states = msgspec.json.Decoder(list[tuple[str, str, str, str]])
_silences = msgspec.json.Decoder(list[tuple[str, str, str, float, float, str, str]])
_messages = msgspec.json.Decoder(list[tuple[str, str, float, str]])
_away = msgspec.json.Decoder(list[tuple[str, str, dict[str, str], str, float, str]])


# --- writing ---------------------------------------------------------------------------------------------------------


def note(tx: Transaction, operation: NoteAlerts) -> None:
    """Store alerts as they are now, and the messages about them."""
    before = _states_of(tx.connection, operation.alerts)
    rows: list[bulk.Row] = []
    for alert in operation.alerts:
        known = before.get((alert.rule, alert.subject))
        if known is not None and known[0] != alert.id and known[1] != "resolved":
            # Another episode still fires there: somebody else decided first.
            continue
        rows.append(_row(alert))
        if known != (alert.id, alert.state):
            tx.event(f"alert.{alert.state}", node_id=alert.node_id, name=alert.rule, reason=alert.message)
    bulk.insert(
        tx.connection,
        "alerts",
        _COLUMNS,
        rows,
        f"ON CONFLICT (rule, subject) DO UPDATE SET {_NEW_VALUES} WHERE {_KEPT.replace('id =', 'alerts.id =')}",
    )
    messages = [(message.id, message.channel, message.made_at, message.body.decode()) for message in operation.messages]
    suffix = "ON CONFLICT (id) DO NOTHING"
    bulk.insert(tx.connection, "alert_messages", "id, channel, made_at, body", messages, suffix)
    _remove_old(tx)


def _states_of(connection: sqlite3.Connection, alerts: Sequence[AlertRow]) -> dict[tuple[str, str], tuple[str, str]]:
    """Give the stored ``(id, state)`` of these alerts."""
    keys = _encode([(alert.rule, alert.subject) for alert in alerts]).decode()
    rest = (
        "FROM json_each(?) AS wanted JOIN alerts ON rule = json_extract(wanted.value, '$[0]')"
        " AND subject = json_extract(wanted.value, '$[1]')"
    )
    found = bulk.read(connection, _states, "rule, subject, alerts.id, state", rest, (keys,))
    return {(rule, subject): (alert_id, state) for rule, subject, alert_id, state in found}


def _row(alert: AlertRow) -> bulk.Row:
    return (
        *(alert.rule, alert.subject, alert.id, alert.kind, alert.severity, alert.state, alert.message, alert.value),
        *(alert.node_id, alert.since_at, alert.fired_at, alert.resolved_at, _encode(alert.told).decode()),
    )


def _remove_old(tx: Transaction) -> None:
    tx.connection.execute(
        "DELETE FROM alerts WHERE resolved_at IS NOT NULL AND (resolved_at < ? OR resolved_at <"
        " (SELECT resolved_at FROM alerts WHERE resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT 1 OFFSET ?))",
        (tx.now.wall_s - KEPT_S, RESOLVED_KEPT_MAX - 1),
    )


def forget(tx: Transaction, operation: ForgetMessages) -> None:
    """Remove messages that were delivered or given up."""
    bulk.delete(tx.connection, "alert_messages", "id", operation.ids)


def put_silence(tx: Transaction, operation: PutSilence) -> bool:
    """Store a silence, or end one sooner."""
    row = operation.silence
    changed = tx.connection.execute(
        "INSERT INTO alert_silences (id, rule, subject, made_at, until_at, comment, who) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET until_at = excluded.until_at WHERE excluded.until_at < until_at",
        (row.id, row.rule, row.subject, row.made_at, row.until_at, row.comment, row.who),
    ).rowcount
    tx.connection.execute(
        "DELETE FROM alert_silences WHERE until_at < ? OR made_at <"
        " (SELECT made_at FROM alert_silences ORDER BY made_at DESC LIMIT 1 OFFSET ?)",
        (tx.now.wall_s - KEPT_S, SILENCES_KEPT_MAX - 1),
    )
    return changed > 0


# --- reading ---------------------------------------------------------------------------------------------------------


def memory(connection: sqlite3.Connection) -> AlertMemory:
    """Give all that is kept."""
    columns = _COLUMNS.replace("told", "json(told)")
    alerts = bulk.read(connection, _alerts, columns, "FROM (SELECT * FROM alerts ORDER BY rule, subject)")
    rest = "FROM (SELECT * FROM alert_silences ORDER BY made_at, id)"
    silences = bulk.read(connection, _silences, "id, rule, subject, made_at, until_at, comment, who", rest)
    rest = "FROM (SELECT * FROM alert_messages ORDER BY seq)"
    messages = bulk.read(connection, _messages, "id, channel, made_at, body", rest)
    return AlertMemory(
        alerts=[AlertRow(**msgspec.structs.asdict(alert)) for alert in alerts],
        silences=[
            SilenceRow(
                id=silence_id,
                rule=rule,
                subject=subject,
                made_at=made_at,
                until_at=until_at,
                comment=comment,
                who=who,
            )
            for silence_id, rule, subject, made_at, until_at, comment, who in silences
        ],
        messages=[
            OutboundMessage(id=message_id, channel=channel, made_at=made_at, body=body.encode())
            for message_id, channel, made_at, body in messages
        ],
    )


def away_nodes(connection: sqlite3.Connection) -> list[AwayNode]:
    """Give the nodes that are unreachable, by id."""
    columns = "id, name, json(labels), version, IFNULL(unreachable_since, 0), last_disconnect_reason"
    rest = "FROM (SELECT * FROM nodes WHERE state = 'unreachable' ORDER BY id)"
    return [
        AwayNode(id=node_id, name=name, labels=labels, version=version, since_s=since_s, reason=reason)
        for node_id, name, labels, version, since_s, reason in bulk.read(connection, _away, columns, rest)
    ]


def queue_heads(connection: sqlite3.Connection, limit: int) -> list[QueueHead]:
    """Give the first task of each class and priority that is queued: one look into the index for each, at most
    ``limit``; those that any fitting node may run first.
    """
    heads: list[QueueHead] = []
    for is_aimed in (False, True):
        class_id, rank = (-(2**62), 0) if is_aimed else (0, 2**62)
        while len(heads) < limit:
            bound = "AND class_id < 0" if is_aimed else ""
            row = connection.execute(
                "SELECT class_id, rank, MAX(submitted_at, IFNULL(due_at, 0)) FROM tasks INDEXED BY tasks_queue"
                f" WHERE state = {QUEUED} AND (class_id, rank) > (?, ?) {bound} ORDER BY class_id, rank, seq LIMIT 1",
                (class_id, rank),
            ).fetchone()
            if row is None:
                break
            class_id, rank, since_at = row
            heads.append(_head(connection, class_id, since_at))
    return heads


def _head(connection: sqlite3.Connection, class_id: int, since_at: float) -> QueueHead:
    statement = "SELECT name, requires, target FROM classes WHERE id = ?"
    name, requires, target = connection.execute(statement, (class_id,)).fetchone()
    return QueueHead(name=name, requires=dict(msgspec.json.decode(requires)), target=target, since_at=since_at)
