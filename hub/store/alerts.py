"""What the store keeps of alerts: which fire, who is to be told, what is silenced.

The operations are part of `hub.store.contract.Operation` and follow its rules: batch-first, conditional, safe to
repeat. An alert and the messages about it are written in one transaction, so that neither is there without the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

# What is kept of what is over: a week, or so many, whichever is less.
KEPT_S = 7 * 24 * 3600.0
RESOLVED_KEPT_MAX = 1_000
SILENCES_KEPT_MAX = 1_000


class AlertRow(Struct, frozen=True, kw_only=True):
    """The latest episode of one alert; ``(rule, subject)`` names the alert, ``id`` the episode.

    ``told`` are the channels that were given a message that it fires; they are owed one when it is over.
    """

    rule: str
    subject: str
    id: str
    kind: str
    severity: Literal["warning", "critical"]
    state: Literal["firing", "resolved"]
    message: str
    value: float | None = None
    node_id: str = ""
    since_at: float
    fired_at: float
    resolved_at: float | None = None
    told: tuple[str, ...] = ()


class OutboundMessage(Struct, frozen=True, kw_only=True):
    """A message that one channel is to deliver. ``id`` stays the same however often it is tried."""

    id: str
    channel: str
    made_at: float
    body: bytes


class SilenceRow(Struct, frozen=True, kw_only=True):
    """Nobody is told of alerts of this rule about this subject (empty: any) until a time on the wall clock."""

    id: str
    rule: str
    subject: str
    made_at: float
    until_at: float
    comment: str = ""
    who: str = ""


class NoteAlerts(Struct, frozen=True, kw_only=True):
    """Store alerts as they are now, with the messages about them; makes an event where a state changed.

    An alert is written if its last stored episode is the same, or over; a message if its id is new. Answer: None.
    """

    alerts: Sequence[AlertRow]
    messages: Sequence[OutboundMessage] = ()


class ForgetMessages(Struct, frozen=True, kw_only=True):
    """Messages were delivered, or are given up. Answer: None."""

    ids: Sequence[str]


class PutSilence(Struct, frozen=True, kw_only=True):
    """Store a silence, or end one sooner: an earlier ``until_at``. Answer: bool, whether anything changed."""

    silence: SilenceRow


class AlertMemory(Struct, frozen=True, kw_only=True):
    """All that is kept: alerts by rule and subject, silences by age, messages in the order in which they were made."""

    alerts: list[AlertRow]
    silences: list[SilenceRow]
    messages: list[OutboundMessage]


class AwayNode(Struct, frozen=True, kw_only=True, gc=False):
    """A node that is unreachable, since when on the steady clock, and why."""

    id: str
    name: str
    labels: dict[str, str]
    version: str
    since_s: float
    reason: str


class QueueHead(Struct, frozen=True, kw_only=True, gc=False):
    """Queued tasks of one class and priority: when the first of them could have run, as far as is known."""

    name: str
    requires: dict[str, str]
    target: str
    since_at: float
