"""The decisions about alerts: which begin, fire, are over; who is to be told of it, once.

No I/O and no clock: it is handed the facts of each look with the time, and what was remembered over a restart. It
returns the alerts that changed with the messages about them, to be stored in one transaction; `hub.alerts.watch` does.

What holds, whatever restarts: an episode of an alert fires once and is over once, and a channel that was told that it
fires is told when it is over. An alert is named by its rule and its subject; the next episode begins only when the one
before is over.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from hub.alerts.condition import Condition
from hub.alerts.conditions import conditions
from hub.alerts.endings import over_words
from hub.alerts.facts import Facts
from hub.alerts.messages import HubName, outbound
from hub.alerts.reading import AlertSettings
from hub.alerts.recents import Recents
from hub.alerts.rules import FailureRate, Rule
from hub.alerts.silences import Silences
from hub.store.alerts import AlertRow, OutboundMessage, SilenceRow
from hub.store.now import Now

logger = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]
"""``(rule, subject)``"""

# Alerts that are pending or fire at once: as many as a hub has nodes at most. What is beyond waits until others are
# over; nobody reads ten thousand.
OPEN_MAX: Final = 10_000

# Alerts that are over and are still shown.
RESOLVED_SHOWN_MAX: Final = 200

SEVERITY_RANKS: Final = {"warning": 0, "critical": 1}


class Decision(Struct, frozen=True, kw_only=True):
    """What follows from a look: alerts to be stored as they are now, messages to be delivered, and ``news``: those of
    the alerts that began to fire, or are over.
    """

    alerts: list[AlertRow]
    messages: list[OutboundMessage]
    news: list[AlertRow]


class AlertView(Struct, frozen=True, kw_only=True):
    """An alert as people see it."""

    id: str
    rule: str
    severity: Literal["warning", "critical"]
    subject: str
    state: Literal["pending", "firing", "resolved"]
    message: str
    value: float | None
    since_at: float
    fired_at: float | None
    resolved_at: float | None
    silenced_until: float | None


class _Pending(Struct):
    """Something that is so, but not for long enough yet."""

    condition: Condition
    since_s: float
    since_at: float
    severity: Literal["warning", "critical"]


class AlertEngine:
    """All alerts of one hub.

    Args:
        settings: the rules and whom to tell.
        hub: who tells.
        known: alerts that an earlier process stored.
        silences: those that an earlier process stored.
        now: the time, for those silences.
    """

    def __init__(
        self,
        settings: AlertSettings,
        hub: HubName,
        known: Iterable[AlertRow] = (),
        silences: Iterable[SilenceRow] = (),
        now: Now = Now(0.0, 0.0),  # noqa: B008 - it is frozen
    ) -> None:
        self._hub = hub
        self._recents = Recents(_names_window_s(settings))
        self._follow_settings(settings)
        self._pending: dict[Key, _Pending] = {}
        self._firing: dict[Key, AlertRow] = {}
        # What the last look found of alerts that fire: what is shown. What is stored and told is how they began.
        self._newest: dict[Key, Condition] = {}
        self._resolved: dict[Key, AlertRow] = {}
        self._silences = Silences(silences, now)
        for row in sorted(known, key=lambda row: row.resolved_at or row.fired_at):
            (self._firing if row.state == "firing" else self._resolved)[row.rule, row.subject] = row
        self._looked_at: Facts | None = None
        self._ids_here: frozenset[str] = frozenset()
        self._has_overflowed = False

    def _follow_settings(self, settings: AlertSettings) -> None:
        self._rules = {rule.name: rule for rule in settings.rules}
        self._channels = {channel.name: channel for channel in settings.channels}
        self._quiet_times = {quiet.name: quiet for quiet in settings.quiet_times}

    def revise(self, settings: AlertSettings) -> None:
        """Follow other rules from the next look on. What fires goes on under the rule of its name, with the severity
        that it began with, and is over with the next look if there is none; what is pending goes on where its rule is
        still about the same.
        """
        kinds = {name: rule.kind for name, rule in self._rules.items()}
        self._follow_settings(settings)
        self._recents.look_back(_names_window_s(settings))
        for key, pending in list(self._pending.items()):
            rule = self._rules.get(key[0])
            if rule is None or rule.kind != kinds[key[0]]:
                del self._pending[key]
            else:
                pending.severity = rule.severity

    # --- looking ------------------------------------------------------------------------------------------------------

    def look(self, facts: Facts) -> Decision:
        """Judge one look, and take note of what follows; whoever asks sees to it that it is stored and delivered."""
        self._recents.take(facts)
        changed: dict[Key, AlertRow] = {}
        for rule in self._rules.values():
            self._follow(rule, facts, changed)
        self._end_orphans(facts, changed)
        news = list(changed.values())
        messages = self._tell(facts, changed)
        return Decision(alerts=list(changed.values()), messages=messages, news=news)

    def _follow(self, rule: Rule, facts: Facts, changed: dict[Key, AlertRow]) -> None:
        found = conditions(rule, facts, self._recents)
        if found is None:
            return
        holding = {(rule.name, condition.subject): condition for condition in found}
        for key, condition in holding.items():
            if key in self._firing:
                self._newest[key] = condition
            else:
                self._begin(rule, key, condition, facts, changed)
        for key in [key for key in self._pending if key[0] == rule.name and key not in holding]:
            del self._pending[key]
        # So soon after a start, that nothing is seen proves nothing for a rule that looks back.
        if facts.watched_s < rule.memory_s:
            return
        for key in [key for key in self._firing if key[0] == rule.name and key not in holding]:
            self._end(key, rule.kind, facts, changed)

    def _begin(self, rule: Rule, key: Key, condition: Condition, facts: Facts, changed: dict[Key, AlertRow]) -> None:
        now = facts.now
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) + len(self._firing) >= OPEN_MAX:
                self._note_overflow()
                return
            pending = _Pending(condition, now.steady_s, now.wall_s, rule.severity)
        if condition.since_s is not None:
            pending.since_s = condition.since_s
            pending.since_at = now.wall_s - max(0.0, now.steady_s - condition.since_s)
        pending.condition = condition
        if now.steady_s - pending.since_s < rule.for_s:
            self._pending[key] = pending
            return
        self._pending.pop(key, None)
        self._resolved.pop(key, None)
        self._firing[key] = changed[key] = AlertRow(
            rule=rule.name,
            subject=condition.subject,
            id=_episode_id(self._hub.id, key, now.wall_s),
            kind=rule.kind,
            severity=rule.severity,
            state="firing",
            message=condition.message,
            value=condition.value,
            node_id=condition.node_id,
            since_at=pending.since_at,
            fired_at=now.wall_s,
        )

    def _end(self, key: Key, kind: str, facts: Facts, changed: dict[Key, AlertRow], words: str = "") -> None:
        row = self._firing.pop(key)
        self._newest.pop(key, None)
        wall_s = facts.now.wall_s
        said = words or over_words(kind, row.subject, facts, self._here(facts), wall_s - row.since_at)
        over = msgspec.structs.replace(row, state="resolved", resolved_at=wall_s, message=said)
        # Last in the order: the first of all is the one to forget.
        self._resolved.pop(key, None)
        self._resolved[key] = over
        while len(self._resolved) > RESOLVED_SHOWN_MAX:
            del self._resolved[next(iter(self._resolved))]
        changed[key] = over

    def _here(self, facts: Facts) -> frozenset[str]:
        """Give who is here, found once a look: thousands may come back in one."""
        if self._looked_at is not facts:
            self._looked_at, self._ids_here = facts, frozenset(node.id for node in facts.present)
        return self._ids_here

    def _end_orphans(self, facts: Facts, changed: dict[Key, AlertRow]) -> None:
        """End alerts whose rule is no more: nobody would ever look after them again."""
        for key in [key for key in self._firing if key[0] not in self._rules]:
            self._end(key, self._firing[key].kind, facts, changed, f"the rule {key[0]} is no more")

    def _note_overflow(self) -> None:
        if not self._has_overflowed:
            self._has_overflowed = True
            logger.error("%d alerts are open at once; more are not taken until some are over", OPEN_MAX)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, facts: Facts, changed: dict[Key, AlertRow]) -> list[OutboundMessage]:
        """Make the messages that are due now, and note on each alert who was told."""
        now, wall_s = facts.now, facts.now.wall_s
        due: dict[str, list[AlertRow]] = {}
        for row in changed.values():
            if row.state == "resolved":
                for channel in row.told:
                    if channel in self._channels:
                        due.setdefault(channel, []).append(row)
        wanted = self._wanted_by_rule(wall_s)
        for key, row in list(self._firing.items()):
            names = wanted.get(row.rule, {}).get(row.severity, ())
            untold = [name for name in names if name not in row.told]
            if not untold or self._silences.until_at(row.rule, row.subject, now) is not None:
                continue
            told = msgspec.structs.replace(row, told=(*row.told, *untold))
            self._firing[key] = changed[key] = told
            for channel in untold:
                due.setdefault(channel, []).append(told)
        return [message for name, rows in due.items() for message in outbound(self._hub, name, rows, wall_s)]

    def _wanted_by_rule(self, wall_s: float) -> dict[str, dict[str, list[str]]]:
        """Give the channels that may be told now, by rule and severity: of alerts there may be thousands."""
        found: dict[str, dict[str, list[str]]] = {}
        open_channels = [item for item in self._channels.values() if not self._is_quiet(item.quiet, wall_s)]
        for rule in self._rules.values():
            if self._is_quiet(rule.quiet, wall_s):
                continue
            meant = [item for item in open_channels if rule.channels is None or item.name in rule.channels]
            found[rule.name] = {
                severity: [item.name for item in meant if rank >= SEVERITY_RANKS[item.severity]]
                for severity, rank in SEVERITY_RANKS.items()
            }
        return found

    def _is_quiet(self, names: Sequence[str], wall_s: float) -> bool:
        return any(self._quiet_times[name].covers(wall_s) for name in names)

    # --- silences -----------------------------------------------------------------------------------------------------

    def put_silence(self, silence: SilenceRow, now: Now) -> None:
        """Take a silence into account, or a new end of one."""
        self._silences.put(silence, now)

    def get_silence(self, silence_id: str) -> SilenceRow | None:
        """Give a silence as it is stored."""
        return self._silences.get(silence_id)

    def silences(self, now: Now) -> list[SilenceRow]:
        """Give the silences that are not over, by age."""
        return self._silences.open_ones(now)

    # --- showing ------------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by name."""
        return self._rules

    def counts(self) -> tuple[int, int]:
        """Count the alerts that fire, and those of them that are critical."""
        return len(self._firing), sum(row.severity == "critical" for row in self._firing.values())

    def shown(self, now: Now) -> list[AlertView]:
        """Give the alerts: those that fire, critical and newest first, then pending ones, then those that are over."""
        firing = [self._view(self._as_found(key, row), now) for key, row in self._firing.items()]
        firing.sort(key=lambda view: (-SEVERITY_RANKS[view.severity], -(view.fired_at or 0.0)))
        pending = [self._view_pending(key, pending, now) for key, pending in self._pending.items()]
        pending.sort(key=lambda view: -view.since_at)
        over = [self._view(row, now) for row in reversed(self._resolved.values())]
        return [*firing, *pending, *over]

    def _as_found(self, key: Key, row: AlertRow) -> AlertRow:
        newest = self._newest.get(key)
        return row if newest is None else msgspec.structs.replace(row, message=newest.message, value=newest.value)

    def _view(self, row: AlertRow, now: Now) -> AlertView:
        return AlertView(
            id=row.id,
            rule=row.rule,
            severity=row.severity,
            subject=row.subject,
            state=row.state,
            message=row.message,
            value=row.value,
            since_at=row.since_at,
            fired_at=row.fired_at,
            resolved_at=row.resolved_at,
            silenced_until=self._silences.until_at(row.rule, row.subject, now) if row.state == "firing" else None,
        )

    def _view_pending(self, key: Key, pending: _Pending, now: Now) -> AlertView:
        return AlertView(
            id=_episode_id(self._hub.id, key, pending.since_at),
            rule=key[0],
            severity=pending.severity,
            subject=key[1],
            state="pending",
            message=pending.condition.message,
            value=pending.condition.value,
            since_at=pending.since_at,
            fired_at=None,
            resolved_at=None,
            silenced_until=self._silences.until_at(*key, now),
        )


def _names_window_s(settings: AlertSettings) -> float:
    """Give how far back the rules look at attempts by name."""
    return max((rule.window_s for rule in settings.rules if isinstance(rule, FailureRate)), default=60.0)


def _episode_id(hub_id: str, key: Key, at: float) -> str:
    """Name an episode: the same on each try, and never that of another one."""
    said = f"{hub_id}\n{key[0]}\n{key[1]}\n{at!r}"
    return f"alert-{hashlib.sha256(said.encode()).hexdigest()[:20]}"
