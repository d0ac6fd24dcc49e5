"""The lines above each view: which hub, how old the picture is, the verdict in words, and the views by their keys."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from rich.text import Text

from dashboards.terminal.looks import ALARM, BAD, CHOSEN, DIM, STRONG, WARN, WELL, Look, level_look
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import State, View
from dashboards.terminal.texts import clean, line, rate, spread, width_of, wrapped
from dashboards.terminal.troubles import kind_of, troubles
from moorline.views import Stats
from moorline.words import ago, duration

# The hub says something every second. Up to twice that the picture is of now; a number that flickers tells nobody
# anything.
FRESH_S: Final = 2.0

# A hub that says nothing for so long is in trouble, or the way to it is.
SILENT_S: Final = 3.5

# From this height on the verdict has two lines; from the other one on it has them if it does not fit on one.
ROOMY_LINES: Final = 20
LOW_LINES: Final = 12

# The beginning of a hub's id tells it from others.
HUB_ID_CHARACTERS: Final = 12

# How the hub's verdict says what is told here in other words. A reason that reads otherwise is told as it is.
_ALERTS_COUNTED: Final = re.compile(r"\d+ (critical )?alerts? firing")
_NODES_COUNTED: Final = re.compile(r"\d+ nodes? unreachable")
_OLDEST_WAITS: Final = "oldest task waits "
_NO_COMMITS: Final = "the store takes no commits"
_DEGRADED_RULE: Final = "hub_degraded"

_NAMES: Final = {
    View.OVERVIEW: "Overview",
    View.NODES: "Nodes",
    View.TASKS: "Tasks",
    View.TASK: "Task",
    View.EVENTS: "Events",
}


def header(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines above the view; as many for every view, so that nothing jumps."""
    return [
        _title(snapshot, width),
        *verdict_lines(snapshot, width, verdict_height(snapshot, width, height)),
        _tabs(snapshot, state, width),
    ]


def _title(snapshot: Snapshot, width: int) -> Text:
    stats = snapshot.stats
    name: list[tuple[str, str]] = [("moorline", STRONG)]
    if stats is None:
        return spread(line(*name, (f"  {clean(snapshot.url)}", DIM)), line(), width)
    # Of a hub that is away nobody knows more than how long it had been up when it was last heard of.
    heard_at = snapshot.now_at if snapshot.is_live or snapshot.heard_at is None else snapshot.heard_at
    up_s = None if stats.hub.started_at is None else max(0.0, heard_at - stats.hub.started_at)
    # The most telling first; what does not fit beside the age is left out.
    more = [
        (f"  {_hub_name(stats.hub.id)}", ""),
        (f"  up {duration(int(up_s)) if up_s is not None and up_s >= 60 else f'{int(up_s or 0)} s'}", ""),
        (f"  v{clean(stats.hub.version)}", DIM),
        (f"  {clean(snapshot.url)}", DIM),
    ]
    right = _age(snapshot)
    room = width - right.cell_len - 1
    for part in more:
        if sum(width_of(text) for text, _ in name) + width_of(part[0]) > room:
            break
        name.append(part)
    return spread(line(*name), right, width)


def _hub_name(hub_id: str) -> str:
    """Give what tells a hub from others, which its id may say itself."""
    begun = clean(hub_id)[:HUB_ID_CHARACTERS]
    return begun if begun.startswith("hub") else f"hub {begun}"


def _age(snapshot: Snapshot) -> Text:
    if snapshot.heard_at is None:
        return line()
    age_s = snapshot.now_at - snapshot.heard_at
    if age_s < FRESH_S:
        return line(("data <2s old", DIM))
    return line((f"data {ago(snapshot.heard_at, snapshot.now_at)} old", WARN))


def verdict(snapshot: Snapshot) -> tuple[Look, str]:
    """Give how all is: a look, and the reasons in words."""
    link, stats = snapshot.link, snapshot.stats
    lasts = ago(link.since_at, snapshot.now_at)
    match link.state:
        case "refused":
            return Look("✗", "REFUSED", ALARM), clean(link.reason)
        case "away":
            look = Look("▲", "HUB AWAY", ALARM)
            return look, f"for {lasts}: {_reason(snapshot)}. It is tried again every second."
        case "connecting" if stats is None:
            return Look("◌", "CONNECTING", DIM), f"to {clean(snapshot.url)}"
    if stats is None:
        return Look("◌", "WAITING", DIM), "for what the hub says"
    silent_s = 0.0 if snapshot.heard_at is None else snapshot.now_at - snapshot.heard_at
    if link.state == "live" and silent_s > SILENT_S:
        # It is asked, and has time to answer, before it counts as away. Until then nobody must take this for now.
        return Look("▲", "HUB SILENT", ALARM), f"for {ago(snapshot.heard_at, snapshot.now_at)}, and has been asked"
    if stats.verdict.level == "ok" and not stats.verdict.reasons:
        return level_look("ok"), _well(stats)
    return level_look(stats.verdict.level), "; ".join(_reasons(snapshot, stats))


def _well(stats: Stats) -> str:
    """Say what is well, with what fails although no rule minds, first."""
    online, queued = stats.nodes.get("online", 0), stats.tasks.get("queued", 0)
    said = [
        f"{online:,} {'node' if online == 1 else 'nodes'} online" if online else "no node online",
        f"{stats.tasks.get('running', 0):,} run",
        f"{queued:,} wait",
    ]
    fails = stats.rates.failed
    return ", ".join([f"{rate(fails)} fail", *said] if fails else [*said, "nothing fails now"])


def _reasons(snapshot: Snapshot, stats: Stats) -> list[str]:
    """Give the causes first: what the hub finds in itself, then alerts in their own words, then what is only counted.

    The hub counts alerts and nodes; what these counts stand for is put in their place once it is known.
    """
    told = {trouble.id: trouble.what for trouble in troubles(snapshot) if trouble.is_reason}
    is_known = any(alert.state == "firing" for alert in snapshot.alerts)
    # Of a hub that takes no commits its own words say more than the alert's.
    if any(reason.startswith(_NO_COMMITS) for reason in stats.verdict.reasons):
        told = {name: what for name, what in told.items() if name != f"alert {_DEGRADED_RULE}"}
    # What is silenced is told at the end, and not by its count before everything else.
    quiet = Counter(kind_of(alert) for alert in snapshot.alerts if alert.state == "firing" and alert.is_silenced)
    away = stats.nodes.get("unreachable", 0)
    kept = []
    for reason in stats.verdict.reasons:
        is_told = (
            (is_known and _ALERTS_COUNTED.fullmatch(reason))
            or (("unreachable" in told or quiet["node_unreachable"] >= away) and _NODES_COUNTED.fullmatch(reason))
            or (("waiting" in told or quiet["queue_age"]) and reason.startswith(_OLDEST_WAITS))
        )
        if not is_told:
            kept.append(clean(reason))
    return [*kept, *told.values()]


def _reason(snapshot: Snapshot) -> str:
    """Give why the hub is away, without its address, which stands above."""
    url = clean(snapshot.url)
    return clean(snapshot.link.reason).removeprefix(f"{url} ").removeprefix("cannot be reached: ").rstrip(".")


def header_height(snapshot: Snapshot, width: int, height: int) -> int:
    """Give how many lines the header takes."""
    return 2 + verdict_height(snapshot, width, height)


def verdict_height(snapshot: Snapshot, width: int, height: int) -> int:
    """Give how many lines the verdict may take."""
    if height >= ROOMY_LINES:
        return 2
    look, reasons = verdict(snapshot)
    if look.style == f"bold {WELL}":
        return 1
    return 2 if height >= LOW_LINES and width_of(look.text) + width_of(reasons) + 3 > width else 1


def verdict_lines(snapshot: Snapshot, width: int, lines_max: int) -> list[Text]:
    """Give the verdict on one line, or with its reasons on two."""
    look, reasons = verdict(snapshot)
    word = f" {look.text} " if look.style == ALARM else look.text
    # What is well is said calmly.
    reason_style = "" if look.style == f"bold {WELL}" else WARN
    if not reasons:
        return [line((word, look.style)), *([line()] if lines_max > 1 else [])]
    head = f"{word}: " if look.style != ALARM else f"{word} "
    told = wrapped(head + reasons, width, lines_max)
    first = told[0]
    made = [line((first[: len(word)], look.style), (first[len(word) :], reason_style))]
    made += [line((text, reason_style)) for text in told[1:]]
    return made + [line()] * (lines_max - len(made))


def _tabs(snapshot: Snapshot, state: State, width: int) -> Text:
    for has_counts, has_words in ((True, True), (False, True), (False, False)):
        right = _marks(snapshot, state, has_words=has_words)
        parts: list[tuple[str, str]] = []
        for view in View:
            is_here = view is state.view
            word = f" {_NAMES[view]}{_count(snapshot, view) if has_counts else ''}" if has_counts or is_here else ""
            parts.append((f" {view.value}{word} ", CHOSEN if is_here else DIM))
        made = line(*parts)
        if made.cell_len + right.cell_len < width:
            return spread(made, right, width)
    return made


def _count(snapshot: Snapshot, view: View) -> str:
    stats = snapshot.stats
    if stats is None:
        return ""
    if view is View.NODES:
        return f" {sum(count for state, count in stats.nodes.items() if state != 'gone'):,}"
    return ""


def _marks(snapshot: Snapshot, state: State, *, has_words: bool) -> Text:
    """Say what must be known in every view: that the picture stands still, and how many alerts there are."""
    parts: list[tuple[str, str]] = []
    if state.is_still:
        parts.append((" ‖ STILL ", ALARM))
    firing = snapshot.stats.alerts.firing if snapshot.stats is not None else 0
    silenced = min(firing, sum(alert.is_silenced for alert in snapshot.alerts if alert.state == "firing"))
    loud = firing - silenced
    if loud:
        word = f" {'alert' if loud == 1 else 'alerts'}" if has_words or not silenced else ""
        parts.append((f" ▲ {loud}{word} ", BAD if snapshot.is_live else DIM))
    if silenced:
        parts.append((f" ‖ {silenced}{' silenced' if has_words else ''} ", DIM))
    return line(*parts)
