"""What the API shows of alerts, and takes about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from hub.alerts.channels import Channel
from hub.alerts.deliver import ChannelState
from hub.alerts.engine import AlertView
from hub.alerts.rules import Rule
from hub.store.alerts import SilenceRow
from protocol.frames import Identifier

# A silence that lasts longer than a month is a rule to be changed.
SILENCE_S_MAX = 31 * 24 * 3600.0


class SilenceRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts are to be told to nobody, and for how long. What is left out means any."""

    rule: Identifier | None = None
    subject: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    for_s: Annotated[float, Meta(gt=0, le=SILENCE_S_MAX)]
    comment: Annotated[str, Meta(max_length=1_000)] = ""


class SilenceObject(Struct, frozen=True, kw_only=True):
    """A silence. ``rule`` and ``subject`` are empty where they mean any."""

    id: str
    rule: str
    subject: str
    made_at: float
    until_at: float
    comment: str
    who: str


class RuleObject(Struct, frozen=True, kw_only=True):
    """A rule. ``settings`` are those of its kind."""

    name: str
    kind: str
    severity: Literal["warning", "critical"]
    for_s: float
    filter: str
    channels: list[str] | None
    quiet: list[str]
    settings: dict[str, Any]


class ChannelObject(Struct, frozen=True, kw_only=True):
    """A channel: how many messages wait on it, how many tries in a row were in vain, and what the last one met."""

    name: str
    kind: str
    severity: Literal["warning", "critical"]
    waiting: int
    failures: int
    failure: str


class AlertsAnswer(Struct, frozen=True, kw_only=True):
    """A page of the alerts (firing, then pending, then those that are over), and all silences, rules and channels.
    ``total``: how many alerts there are on all pages.
    """

    alerts: list[AlertView]
    total: int
    cursor: str | None
    silences: list[SilenceObject]
    rules: list[RuleObject]
    channels: list[ChannelObject]


class ChannelTest(Struct, frozen=True, kw_only=True):
    """What came of a test through one channel."""

    channel: str
    ok: bool
    detail: str


class AlertTestAnswer(Struct, frozen=True, kw_only=True):
    """What came of a test, by channel."""

    channels: list[ChannelTest]


def silence_object(row: SilenceRow) -> SilenceObject:
    """Show a silence."""
    return SilenceObject(
        id=row.id,
        rule=row.rule,
        subject=row.subject,
        made_at=row.made_at,
        until_at=row.until_at,
        comment=row.comment,
        who=row.who,
    )


_COMMON = frozenset({"name", "kind", "severity", "for_s", "filter", "channels", "quiet"})


def rule_object(rule: Rule) -> RuleObject:
    """Show a rule."""
    fields: dict[str, Any] = msgspec.to_builtins(rule)
    return RuleObject(
        name=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        for_s=rule.for_s,
        filter=fields.get("filter", ""),
        channels=None if rule.channels is None else list(rule.channels),
        quiet=list(rule.quiet),
        settings={key: value for key, value in fields.items() if key not in _COMMON},
    )


def channel_object(channel: Channel, state: ChannelState) -> ChannelObject:
    """Show a channel, without its address and its secret."""
    return ChannelObject(
        name=channel.name,
        kind=channel.kind,
        severity=channel.severity,
        waiting=state.waiting,
        failures=state.failures,
        failure=state.failure,
    )
