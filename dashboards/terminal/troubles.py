"""What is not well, worst first, and where to look closer: the list that the overview begins with. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from dashboards.terminal.looks import TASK_LOOKS, WARN, Look, node_look, severity_look
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import View
from dashboards.terminal.texts import clean
from moorline.words import ago

# Errors that are older belong to another story.
ERRORS_WITHIN_S: Final = 600.0
# More names than this are no longer read.
NAMES_MAX: Final = 8
# A task that waits longer than this is worth a line; the hub's verdict names it at the same time.
OLDEST_WAITS_S: Final = 60.0


class Trouble(NamedTuple):
    """One thing that is not well. Enter opens ``view`` with ``filter``."""

    id: str
    look: Look
    what: str
    detail: str
    age: str
    view: View
    filter: str


def troubles(snapshot: Snapshot) -> list[Trouble]:
    """Give what is not well: alerts, nodes that are away, tasks that wait, and what failed lately."""
    return [*_alerts(snapshot), *_nodes(snapshot), *_waiting(snapshot), *_errors(snapshot)]


def _alerts(snapshot: Snapshot) -> list[Trouble]:
    known = {node.id for node in snapshot.map}
    firing = [alert for alert in snapshot.alerts if alert.state == "firing" and not alert.is_silenced]
    firing.sort(key=lambda alert: (alert.severity != "critical", -alert.since_at))
    return [
        Trouble(
            id=f"alert {alert.rule} {alert.subject}",
            look=severity_look(alert.severity),
            what=clean(f"{alert.rule} {alert.subject}".rstrip()),
            detail=clean(alert.message or alert.subject),
            age=ago(alert.since_at, snapshot.now_at),
            view=View.NODES if alert.subject in known else View.TASKS,
            filter=f"id={alert.subject}" if alert.subject in known else "",
        )
        for alert in firing
    ]


def _nodes(snapshot: Snapshot) -> list[Trouble]:
    away = [clean(node.id) for node in snapshot.map if node.state == "unreachable"]
    count = len(away) or (snapshot.stats.nodes.get("unreachable", 0) if snapshot.stats else 0)
    if not count:
        return []
    names = ", ".join(away[:NAMES_MAX]) + (f" and {count - NAMES_MAX} more" if count > NAMES_MAX else "")
    what = f"{count} {'node' if count == 1 else 'nodes'} away"
    look = node_look("unreachable")
    return [Trouble("unreachable", look, what, names, "", View.NODES, "state=unreachable")]


def _waiting(snapshot: Snapshot) -> list[Trouble]:
    oldest_at = snapshot.stats.oldest_queued_at if snapshot.stats else None
    if oldest_at is None or snapshot.now_at - oldest_at < OLDEST_WAITS_S:
        return []
    queued = snapshot.stats.tasks.get("queued", 0) if snapshot.stats else 0
    look = Look("⧗", "waiting", WARN)
    waits = ago(oldest_at, snapshot.now_at)
    return [Trouble("waiting", look, f"{queued:,} queued", "the oldest waits", waits, View.TASKS, "state=queued")]


def _errors(snapshot: Snapshot) -> list[Trouble]:
    recent = [group for group in snapshot.errors if snapshot.now_at - group.last_at < ERRORS_WITHIN_S]
    return [
        Trouble(
            id=f"errors {group.id}",
            look=TASK_LOOKS["failed"],
            what=f"{group.tasks:,}x {clean(group.name)}",
            detail=clean(f"{group.what}  {group.place}" if group.place else group.what),
            age=ago(group.last_at, snapshot.now_at),
            view=View.TASKS,
            filter=f"errorgroup={group.id}",
        )
        for group in recent
    ]
