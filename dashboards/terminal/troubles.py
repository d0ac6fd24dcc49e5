"""What is not well, causes before what follows from them, and where to look closer. Pure.

The hub's verdict counts alerts; here they have their words. Alerts that are alike are one line: where a hundred nodes
are away, what else is wrong must still be seen.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from dashboards.terminal.looks import DIM, TASK_LOOKS, WARN, Look, node_look, severity_look, task_look
from dashboards.terminal.snapshot import Alert, ErrorGroup, Snapshot
from dashboards.terminal.state import View
from dashboards.terminal.texts import clean
from moorline.views import TaskView
from moorline.words import ago, clock, duration

# Errors that are older belong to another story.
ERRORS_WITHIN_S: Final = 600.0
# So many names are told in full; of more than that the first few are.
NAMES_MAX: Final = 5
NAMES_OF_MANY: Final = 3
# So many names make a filter that still fits what the hub takes.
FILTERED_MAX: Final = 50
# From so many alerts of one rule on they are one line.
ALIKE_MIN: Final = 4
# A task that waits longer than this is worth a line; the hub's verdict names it at the same time.
OLDEST_WAITS_S: Final = 60.0

# The hub cuts such words here.
CLASS_CHARACTERS_MAX: Final = 300
# What stands in a filter without quotes.
_PLAIN_VALUE: Final = re.compile(r"[\w.:@/+-]+")

# The id of a task in what an alert says; its end tells it from others, and Enter leads to it.
_TASK_ID: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")
ID_CHARACTERS: Final = 8

_SILENT: Final = re.compile(r"^silent for [\d.]+ s\b.*")

# The kinds of alerts, what may be the cause of others first: a hub that has just started explains nodes that are not
# back yet, and these explain tasks that wait. Kinds that are not named stand before those about tomorrow.
_CAUSES_FIRST: Final = (
    "hub_degraded", "disk_low", "hub_restarted", "nodes_silent", "node_unreachable", "node_flapping",
    "no_node_for_task", "failure_rate", "queue_age", "", "clock_skew", "version_skew", "certificate_expires",
    "token_expires",
)  # fmt: skip
_RANKS: Final = {kind: rank for rank, kind in enumerate(_CAUSES_FIRST)}
# What many alerts of a kind are, in one word more than their number.
_MANY: Final = {
    "node_flapping": "nodes lose their connection again and again",
    "no_node_for_task": "kinds of tasks that no node can run",
    "failure_rate": "names fail often",
    "queue_age": "names wait for long",
    "clock_skew": "nodes with a wrong clock",
    "version_skew": "other versions than the hub's",
    "certificate_expires": "certificates run out",
    "token_expires": "tokens run out",
}
# These are about all nodes that are away, and one line tells of them.
_ABOUT_NODES_AWAY: Final = frozenset({"nodes_silent", "node_unreachable"})


class Trouble(NamedTuple):
    """One thing that is not well. Enter opens ``view`` with ``filter``. ``since``: for how long, or when last.

    ``is_reason``: the verdict names it, too.
    """

    id: str
    look: Look
    what: str
    detail: str
    since: str
    view: View
    filter: str
    is_reason: bool = True


class _Ranked(NamedTuple):
    is_calm: bool
    rank: int
    newest_first: float
    trouble: Trouble


def troubles(snapshot: Snapshot) -> list[Trouble]:
    """Give what is not well: alerts, nodes that are away, tasks that wait, what failed lately, and what is silenced."""
    firing = [alert for alert in snapshot.alerts if alert.state == "firing"]
    loud = [alert for alert in firing if not alert.is_silenced]
    silenced = [alert for alert in firing if alert.is_silenced]
    ranked = [*_nodes(snapshot, loud, silenced), *_waiting(snapshot, loud, silenced), *_others(snapshot, loud)]
    ranked.sort(key=lambda each: each[:3])
    return [*(each.trouble for each in ranked), *_errors(snapshot), *_silenced(silenced)]


def why_nobody(snapshot: Snapshot) -> dict[str, str]:
    """Give why no node can run tasks, by their name, labels and target as the hub writes them (`class_words`)."""
    return {
        alert.subject: clean(alert.message.removeprefix(f"no node can run task {alert.subject}: "))
        for alert in snapshot.alerts
        if alert.state == "firing" and kind_of(alert) == "no_node_for_task"
    }


def class_words(task: TaskView) -> str:
    """Give what tells tasks apart that the same nodes can run, as the hub writes it in an alert."""
    labels = "".join(f" {key}={value}" for key, value in sorted(task.requires.items()))
    target = f" on {task.target}" if task.target else ""
    return f"{task.name}{labels}{target}"[:CLASS_CHARACTERS_MAX]


def kind_of(alert: Alert) -> str:
    """Give the kind of an alert's rule; a built-in rule is named like its kind."""
    return alert.kind or alert.rule


def _ranked(snapshot: Snapshot, alerts: Sequence[Alert], kind: str, trouble: Trouble) -> _Ranked:
    newest_at = max((alert.since_at for alert in alerts), default=snapshot.now_at)
    is_calm = not any(alert.severity == "critical" for alert in alerts)
    return _Ranked(is_calm, _RANKS.get(kind, _RANKS[""]), -newest_at, trouble)


def _lasts(snapshot: Snapshot, alerts: Sequence[Alert]) -> str:
    begun_at = min((alert.since_at for alert in alerts), default=None)
    return "" if begun_at is None else f"for {ago(begun_at, snapshot.now_at)}"


def _severity(alerts: Sequence[Alert]) -> Look:
    return severity_look("critical" if any(alert.severity == "critical" for alert in alerts) else alerts[0].severity)


# --- nodes that are away ---------------------------------------------------------------------------------------------


def _nodes(snapshot: Snapshot, loud: Sequence[Alert], silenced: Sequence[Alert]) -> Iterator[_Ranked]:
    """Tell of all nodes that are away in one line, with why, as far as that is known."""
    alerts = [alert for alert in loud if kind_of(alert) in _ABOUT_NODES_AWAY]
    quiet = {alert.subject for alert in silenced if kind_of(alert) == "node_unreachable"}
    named = [alert.subject for alert in alerts if kind_of(alert) == "node_unreachable"]
    counted = snapshot.stats.nodes.get("unreachable", 0) if snapshot.stats else 0
    away = [node_id for node_id in snapshot.unreachable_ids if node_id not in quiet]
    ids = list(dict.fromkeys([*named, *away]))
    count = max(len(ids), counted - len(quiet))
    if not count and not alerts:
        return
    at_once = next((alert.message for alert in alerts if kind_of(alert) == "nodes_silent"), "")
    names, why = _listed(ids, count) if ids else "", _reasons_away(snapshot, ids)
    # Why comes before who: of many names the end is cut.
    what = clean(at_once) or f"{count:,} {'node' if count == 1 else 'nodes'} unreachable"
    what += (f" ({why})" if why else "") + (f": {names}" if names else "")
    yield _ranked(
        snapshot,
        alerts,
        "nodes_silent" if at_once else "node_unreachable",
        Trouble(
            id="unreachable",
            look=_severity(alerts) if alerts else node_look("unreachable"),
            what=what,
            detail="",
            since=_lasts(snapshot, alerts),
            view=View.NODES,
            filter=f"id={ids[0]}" if count == 1 and ids else "state=unreachable",
        ),
    )


def _reasons_away(snapshot: Snapshot, ids: Sequence[str]) -> str:
    """Give why these nodes are away, the most frequent reason first."""
    known = {event.node_id: event.reason for event in reversed(snapshot.lately) if event.kind == "node.unreachable"}
    for alert in snapshot.alerts:
        if kind_of(alert) == "node_unreachable":
            known.setdefault(alert.subject, alert.message.partition(" is unreachable: ")[2])
    # For how long it had been silent when it was given up would be read as for how long it has been.
    told = Counter(clean(_SILENT.sub("it fell silent", known[node_id])) for node_id in ids if known.get(node_id))
    return ", ".join(reason for reason, _ in told.most_common(2))


# --- tasks that wait -------------------------------------------------------------------------------------------------


def _waiting(snapshot: Snapshot, loud: Sequence[Alert], silenced: Sequence[Alert]) -> Iterator[_Ranked]:
    """Tell for how long the oldest task waits: a number that grows, which the alert's words do not."""
    alerts = [alert for alert in loud if kind_of(alert) == "queue_age" and not alert.subject]
    oldest_at = snapshot.stats.oldest_queued_at if snapshot.stats else None
    if oldest_at is None or snapshot.stats is None:
        return
    waits_s = snapshot.now_at - oldest_at
    is_quiet = any(kind_of(alert) == "queue_age" and not alert.subject for alert in silenced)
    if not alerts and (waits_s < OLDEST_WAITS_S or is_quiet):
        return
    what = f"{snapshot.stats.tasks.get('queued', 0):,} queued, the oldest waits {duration(waits_s)}"
    look = _severity(alerts) if alerts else Look("⧗", "waiting", WARN)
    since, filter_text = _lasts(snapshot, alerts), "state=queued wait>1m"
    trouble = Trouble("waiting", look, what, "", since, View.TASKS, filter_text)
    yield _ranked(snapshot, alerts, "queue_age", trouble)


# --- other alerts ----------------------------------------------------------------------------------------------------


def _others(snapshot: Snapshot, loud: Sequence[Alert]) -> Iterator[_Ranked]:
    by_rule: dict[str, list[Alert]] = {}
    for alert in loud:
        kind = kind_of(alert)
        if kind not in _ABOUT_NODES_AWAY and (kind != "queue_age" or alert.subject):
            by_rule.setdefault(alert.rule, []).append(alert)
    for alike in by_rule.values():
        for alerts in [alike] if len(alike) >= ALIKE_MIN else [[alert] for alert in alike]:
            yield _ranked(snapshot, alerts, kind_of(alerts[0]), _alert(snapshot, alerts))


def _alert(snapshot: Snapshot, alerts: Sequence[Alert]) -> Trouble:
    """Tell of one alert in its own words, of several in their number and whom they are about."""
    first, kind = alerts[0], kind_of(alerts[0])
    subjects = [alert.subject for alert in alerts]
    what = _TASK_ID.sub(lambda found: f"…{found[0][-ID_CHARACTERS:]}", first.message)
    what = what or f"{first.rule} {first.subject}".rstrip()
    if len(alerts) > 1:
        what = f"{len(alerts):,} {_MANY.get(kind, f'alerts of {first.rule}')}: {_listed(subjects, len(alerts))}"
    view, filter_text = _behind(snapshot, kind, subjects)
    task_ids = dict.fromkeys(_TASK_ID.findall(" ".join(alert.message for alert in alerts)))
    if task_ids:
        view, filter_text = View.TASKS, f"id={','.join(list(task_ids)[:FILTERED_MAX])}"
    return Trouble(
        id=f"alert {first.rule} {first.subject if len(alerts) == 1 else ''}".rstrip(),
        look=_severity(alerts),
        what=clean(what),
        detail=clean(first.rule),
        since=_lasts(snapshot, alerts),
        view=view,
        filter=filter_text,
    )


def _behind(snapshot: Snapshot, kind: str, subjects: Sequence[str]) -> tuple[View, str]:
    """Give where that is to be seen what alerts of a kind are about."""
    known = {node.id for node in snapshot.map}
    # The name of a task is the first word of such a subject; the labels that it requires may follow.
    firsts = dict.fromkeys(subject.split(" ")[0] for subject in subjects if subject)
    names = ",".join(_as_value(first) for first in list(firsts)[:FILTERED_MAX])
    match kind:
        case "failure_rate":
            return View.TASKS, f"state=failed,lost name={names}"
        case "no_node_for_task" | "queue_age":
            return View.TASKS, f"state=queued name={names}"
        case "node_flapping" | "clock_skew":
            return View.NODES, f"id={names}"
        case "version_skew":
            return View.NODES, f"version={names}"
        case "hub_restarted":
            return View.NODES, ""
        case _ if names and known.issuperset(subjects):
            return View.NODES, f"id={names}"
        case _:
            # It is about the hub, its disk, a token: what is told of that are the events.
            return View.EVENTS, "kind=alert"


def _as_value(text: str) -> str:
    """Give a text as the value of a filter's term."""
    if _PLAIN_VALUE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _listed(names: Sequence[str], count: int) -> str:
    """Name all if they are few, else some and how many more there are."""
    shown = [clean(name) for name in names[: NAMES_MAX if count <= NAMES_MAX else NAMES_OF_MANY]]
    return ", ".join(shown) + (f" and {count - len(shown):,} more" if count > len(shown) else "")


# --- what nobody is told of, and what failed -------------------------------------------------------------------------


def _silenced(silenced: Sequence[Alert]) -> Iterator[Trouble]:
    if not silenced:
        return
    count = len(silenced)
    ends = [alert.silenced_until_at for alert in silenced if alert.silenced_until_at is not None]
    until = f" until {clock(min(ends))[:5]} UTC" if ends else ""
    # Until then nobody is told of any of them; some may be silent for longer.
    until = until.replace("until", "until at least") if len(set(ends)) > 1 else until
    yield Trouble(
        id="silenced",
        look=Look("‖", "silenced", DIM),
        what=f"{count:,} {'alert' if count == 1 else 'alerts'} silenced{until}",
        detail="; ".join(clean(alert.message or alert.rule) for alert in silenced[:NAMES_MAX]),
        since="",
        view=View.EVENTS,
        filter="kind=alert",
    )


def _errors(snapshot: Snapshot) -> list[Trouble]:
    recent = [group for group in snapshot.errors if snapshot.now_at - group.last_at < ERRORS_WITHIN_S]
    return [
        Trouble(
            id=f"errors {group.id}",
            look=task_look(group.kind) if group.kind in {"lost", "expired", "cancelled"} else TASK_LOOKS["failed"],
            what=f"{clean(group.name)} {_often(group, snapshot.now_at)}",
            detail=clean(f"{group.what}  {group.place}" if group.place else group.what),
            since=f"{ago(group.last_at, snapshot.now_at)} ago",
            view=View.TASKS,
            filter=f"errorgroup={group.id}",
            is_reason=False,
        )
        for group in recent
    ]


def _often(group: ErrorGroup, now_at: float) -> str:
    """Say how often, and within which time: the hub counts from the first one on, which may be long ago."""
    return f"{group.tasks:,}x" + (f" in {ago(group.first_at, now_at)}" if group.tasks > 1 and group.first_at else "")
