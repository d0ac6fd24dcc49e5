"""An engine with a clock that a test moves, and facts in the few words that tests need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hub.alerts.engine import AlertEngine, Decision
from hub.alerts.facts import Facts, PresentNode
from hub.alerts.messages import HubName, MessageBody, ToldAlert
from hub.alerts.reading import AlertSettings, settings_of
from hub.store.alerts import AlertRow, AwayNode, SilenceRow
from hub.store.assignments import NodeProfile
from hub.store.nodes import HUB_STOPPED
from hub.store.now import Now

START_S = 1_700_000_000.0

OPS = """
[channel.ops]
kind = "command"
argv = ["true"]
"""

HUB = HubName(id="hub-1", version="1.2.3")


def here(node_id: str, *handlers: str, version: str = "1.2.3", takes_work: bool = True, **more: Any) -> PresentNode:
    skew_s = more.pop("skew_s", None)
    profile = NodeProfile(node_id=node_id, handlers=frozenset(handlers), labels=more)
    return PresentNode(profile, node_id, version, takes_work, skew_s)


def away(node_id: str, since_s: float = START_S, reason: str = "reset", **labels: str) -> AwayNode:
    return AwayNode(id=node_id, name="", labels=labels, version="1.2.3", since_s=since_s, reason=reason)


def stopped(node_id: str, since_s: float = START_S) -> AwayNode:
    return away(node_id, since_s, HUB_STOPPED)


def told(decision: Decision) -> list[ToldAlert]:
    """Give what the messages tell, in order."""
    found: list[ToldAlert] = []
    for message in decision.messages:
        found += msgspec.json.decode(message.body, type=MessageBody).alerts
    return found


class Desk:
    """An engine and its time. ``rows`` and ``silences`` are what a store would have."""

    def __init__(self, text: str = "", *, defaults: bool = False) -> None:
        self.settings = _settings(text, defaults)
        self.now_s = START_S
        self.began_s = START_S
        self.wall_ahead_s = 0.0
        self.rows: dict[tuple[str, str], AlertRow] = {}
        self.silences: dict[str, SilenceRow] = {}
        self.messages: list[ToldAlert] = []
        self.engine = AlertEngine(self.settings, HUB)

    @property
    def now(self) -> Now:
        return Now(self.now_s + self.wall_ahead_s, self.now_s)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def revise(self, text: str, *, defaults: bool = False) -> None:
        """Other rules, in the same process."""
        self.settings = _settings(text, defaults)
        self.engine.revise(self.settings)

    def restart(self) -> None:
        """Another process, with what the store has."""
        self.began_s = self.now_s
        self.engine = AlertEngine(self.settings, HUB, self.rows.values(), self.silences.values(), self.now)

    def decide(self, **facts: Any) -> Decision:
        """Look, and store nothing: what a process does that dies before its commit."""
        values: dict[str, Any] = {"away": [], "hub_version": "1.2.3", "has_queue": True}
        return self.engine.look(Facts(now=self.now, watched_s=self.now_s - self.began_s, **values | facts))

    def look(self, **facts: Any) -> list[tuple[str, str]]:
        """Look, store what follows; give what is told: ``(state, subject)``."""
        decision = self.decide(**facts)
        for row in decision.alerts:
            self.rows[row.rule, row.subject] = row
        said = told(decision)
        self.messages += said
        return [(alert.state, alert.subject) for alert in said]

    def silence(self, rule: str = "", subject: str = "", for_s: float = 60.0) -> SilenceRow:
        row = SilenceRow(
            id=f"s{len(self.silences)}",
            rule=rule,
            subject=subject,
            made_at=self.now.wall_s,
            until_at=self.now.wall_s + for_s,
        )
        self.silences[row.id] = row
        self.engine.put_silence(row, self.now)
        return row

    def states(self) -> list[tuple[str, str]]:
        return [(view.state, view.subject) for view in self.engine.shown(self.now)]


def _settings(text: str, defaults: bool) -> AlertSettings:
    return settings_of(f"[alerts]\nuse_defaults = {str(defaults).lower()}\n" + OPS + text)


def subjects(said: Sequence[ToldAlert]) -> list[str]:
    return [alert.subject for alert in said]
