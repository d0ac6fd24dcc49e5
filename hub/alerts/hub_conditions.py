"""What rules about the hub itself find in the facts of a look. Pure; remembers nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from hub.alerts import rules
from hub.alerts.condition import Condition, Found, counted
from hub.alerts.facts import Facts
from hub.alerts.recents import Recents
from hub.decisions.verdict import duration
from hub.store.nodes import HUB_STOPPED

# How long a token that has run out is still told of: long enough to be seen by who uses it.
EXPIRED_TOLD_S: Final = 24 * 3600.0

_OPEN: Final = frozenset({"scheduled", "queued", "running"})


def hub_restarted(rule: rules.HubRestarted, facts: Facts, _: Recents) -> Found:
    """Find that the hub started again, until it has settled."""
    start = facts.start
    if start is None:
        return []
    age_s = facts.now.steady_s - start.started_s
    missing = None if facts.away is None else sum(node.reason == HUB_STOPPED for node in facts.away)
    # The first look always finds it, so that it is told however soon the nodes are back.
    is_over = facts.watched_s > 0 and (missing == 0 or age_s > rule.settle_s)
    if is_over:
        return []
    tasks = {state: count for state, count in start.tasks.items() if count and state in _OPEN}
    held = ", ".join(f"{count} {state}" for state, count in tasks.items()) or "no open tasks"
    message = f"the hub started again and found {held}; {counted(start.nodes, 'node')} to come back"
    subject = datetime.fromtimestamp(start.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [Condition(subject=subject, since_s=start.started_s, value=start.nodes, message=message)]


def hub_degraded(_rule: rules.HubDegraded, facts: Facts, _: Recents) -> Found:
    """Find that the store takes no commits."""
    if facts.degraded is None:
        return []
    return [Condition(subject="", message=f"the hub is degraded, its store takes no commits: {facts.degraded}")]


def disk_low(rule: rules.DiskLow, facts: Facts, _: Recents) -> Found:
    """Find that the disk is nearly full."""
    disk = facts.disk
    if disk is None:
        return None
    if disk.free_bytes >= max(rule.free_bytes, rule.free_share * disk.total_bytes):
        return []
    share = disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    message = f"{disk.free_bytes / 1024**2:.0f} MiB ({share:.1%}) are free on the disk of {disk.path}"
    return [Condition(subject=disk.path, value=disk.free_bytes, message=message)]


def certificate_expires(rule: rules.CertificateExpires, facts: Facts, _: Recents) -> Found:
    """Find certificates that run out."""
    if facts.certificates is None:
        return None
    found = []
    for certificate in facts.certificates:
        left_s = certificate.expires_at - facts.now.wall_s
        if left_s < rule.within_s:
            message = f"the certificate {certificate.path} {_expiry_words(left_s, certificate.expires_at)}"
            found.append(Condition(subject=certificate.path, value=left_s, message=message))
    return found


def token_expires(rule: rules.TokenExpires, facts: Facts, _: Recents) -> Found:
    """Find tokens that run out."""
    if facts.tokens is None:
        return None
    found = []
    for token in facts.tokens:
        left_s = token.expires_at - facts.now.wall_s
        is_short = token.expires_at - token.created_at <= rule.within_s
        if is_short or not -EXPIRED_TOLD_S < left_s < rule.within_s:
            continue
        message = f"the token {token.id} ({token.name}, {token.role}) {_expiry_words(left_s, token.expires_at)}"
        found.append(Condition(subject=token.id, value=left_s, message=message))
    return found


def _expiry_words(left_s: float, at: float) -> str:
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"runs out in {duration(left_s)} ({day})" if left_s > 0 else f"has run out ({day})"
