"""What channels are given: JSON of one shape for webhook and command, a title and a text for people's mail and chat."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from hub.store.alerts import AlertRow, OutboundMessage

# A receiver reads one message of a storm, not a thousand; its JSON stays below 100 KiB.
ALERTS_PER_MESSAGE: Final = 50

# Of many alerts in one mail the first say enough.
LINES_MAX: Final = 20

_encode = msgspec.json.Encoder().encode


class HubName(Struct, frozen=True, kw_only=True):
    """Which hub tells."""

    id: str
    version: str


class ToldAlert(Struct, frozen=True, kw_only=True):
    """One alert as it is told. ``resolved_at`` is null while it fires."""

    id: str
    rule: str
    kind: str
    severity: Literal["warning", "critical"]
    state: Literal["firing", "resolved"]
    subject: str
    node_id: str
    message: str
    value: float | None
    since_at: float
    fired_at: float
    resolved_at: float | None


class MessageBody(Struct, frozen=True, kw_only=True):
    """A message. The same ``id`` again is the same message again."""

    version: int
    id: str
    at: float
    test: bool
    hub: HubName
    alerts: list[ToldAlert]


def outbound(hub: HubName, channel: str, alerts: Sequence[AlertRow], wall_s: float) -> list[OutboundMessage]:
    """Put alerts into messages for one channel."""
    return [
        _message(hub, channel, alerts[start : start + ALERTS_PER_MESSAGE], wall_s)
        for start in range(0, len(alerts), ALERTS_PER_MESSAGE)
    ]


def _message(hub: HubName, channel: str, alerts: Sequence[AlertRow], wall_s: float) -> OutboundMessage:
    named = "\n".join([channel, *(f"{alert.id} {alert.state}" for alert in alerts)])
    message_id = f"msg-{hashlib.sha256(named.encode()).hexdigest()[:24]}"
    body = MessageBody(version=1, id=message_id, at=wall_s, test=False, hub=hub, alerts=[told(row) for row in alerts])
    return OutboundMessage(id=message_id, channel=channel, made_at=wall_s, body=_encode(body))


def told(row: AlertRow) -> ToldAlert:
    """Give an alert as it is told."""
    return ToldAlert(
        id=row.id,
        rule=row.rule,
        kind=row.kind,
        severity=row.severity,
        state=row.state,
        subject=row.subject,
        node_id=row.node_id,
        message=row.message,
        value=row.value,
        since_at=row.since_at,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
    )


def trial_message(hub: HubName, channel: str, message_id: str, wall_s: float) -> OutboundMessage:
    """Make a message that only shows that the channel works."""
    alert = ToldAlert(
        id=message_id,
        rule="test",
        kind="test",
        severity="warning",
        state="firing",
        subject="",
        node_id="",
        message="this is a test: nothing is wrong",
        value=None,
        since_at=wall_s,
        fired_at=wall_s,
        resolved_at=None,
    )
    body = MessageBody(version=1, id=message_id, at=wall_s, test=True, hub=hub, alerts=[alert])
    return OutboundMessage(id=message_id, channel=channel, made_at=wall_s, body=_encode(body))


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Sign a message: HMAC-SHA256 (RFC 2104) over the time of sending, a dot, and the body."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def in_words(body: bytes) -> tuple[str, str]:
    """Give a title and a text of a message for people."""
    said = msgspec.json.decode(body, type=MessageBody)
    lines = [
        f"{alert.state.upper()} {alert.severity} {alert.rule}: {alert.message}"
        f" (since {datetime.fromtimestamp(alert.since_at, UTC):%Y-%m-%d %H:%M:%S} UTC)"
        for alert in said.alerts[:LINES_MAX]
    ]
    more = len(said.alerts) - LINES_MAX
    if more > 0:
        lines.append(f"and {more} more")
    return _title(said), "\n".join(lines)


def _title(said: MessageBody) -> str:
    if said.test:
        return f"[moorline {said.hub.id}] test"
    if len(said.alerts) == 1:
        alert = said.alerts[0]
        return f"[moorline {said.hub.id}] {alert.state}: {alert.message}"[:200]
    return f"[moorline {said.hub.id}] {_counts(alert.state for alert in said.alerts)}"


def _counts(states: Iterable[str]) -> str:
    all_states = list(states)
    return ", ".join(f"{all_states.count(state)} {state}" for state in ("firing", "resolved") if state in all_states)
