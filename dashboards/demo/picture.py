"""How the demo looks: one snapshot in, one drawing out, at any size from 60 columns and 20 lines on."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dashboards.charts import ceiling, columns, spark_line
from dashboards.demo.scenario import Phase, sentence
from dashboards.demo.snapshot import Happening, HubState, NodeLook, NodeState, Snapshot, Tone

# Beyond this a line is hard to follow with the eye.
WIDTH_MAX = 110
# What happened last is always to be seen; more than this is history.
HAPPENINGS_MIN = 3
HAPPENINGS_MAX = 14
# With this many lines to spare there is room to draw the rate in full.
CHART_LINES = 5
# Below this the less important columns go.
WIDTH_COMFORTABLE = 76

ACCENT = "#5fb3b3"
GOOD = "#8fbf7f"
BAD = "#e06c75"
WARN = "#e5c07b"
DIM = "grey50"

_STATIONS: tuple[tuple[str, frozenset[Phase]], ...] = (
    ("at work", frozenset({Phase.STARTING, Phase.WORKING})),
    ("hub killed", frozenset({Phase.HUB_DEAD, Phase.HUB_STARTING})),
    ("nodes return", frozenset({Phase.NODES_RETURNING, Phase.WORKING_AGAIN})),
    ("node killed", frozenset({Phase.NODE_DEAD})),
    ("it returns", frozenset({Phase.NODE_RETURNING, Phase.FINISHING})),
    ("verdict", frozenset({Phase.CHECKING})),
)

_NODE_LOOKS: dict[NodeState, tuple[str, str, str]] = {
    "starting": ("◌", "starting", WARN),
    "online": ("●", "online", GOOD),
    "alone": ("●", "on its own", WARN),
    "away": ("○", "coming back", WARN),
    "dead": ("✗", "killed", BAD),
}

_HUB_LOOKS: dict[HubState, tuple[str, str, str]] = {
    "starting": ("◌", "starting", WARN),
    "up": ("●", "up", GOOD),
    "dead": ("✗", "killed (SIGKILL)", BAD),
}

_TONES: dict[Tone, tuple[str, str]] = {"plain": ("·", "default"), "good": ("✓", GOOD), "bad": ("✗", BAD)}


def render(snapshot: Snapshot, width: int, height: int) -> RenderableType:
    """Draw a snapshot for a terminal of this size.

    The drawing is never wider than ``width``, and lower than ``height`` if that is 20 or more: the list of what
    happened takes what is left.
    """
    inner = min(width, WIDTH_MAX) - 4
    body: list[RenderableType] = [
        _headline(snapshot, inner),
        _stations(snapshot.phase, inner),
        Text(),
        _bar(snapshot, inner),
        _counts(snapshot, inner),
        Text(),
        _nodes(snapshot, inner),
        Text(),
    ]
    # The two edges, the eight lines above and around the table, its head, the row of the hub; and one for the cursor.
    # The last picture also leaves room for the line of JSON that follows: three lines of 80, and the prompt.
    free = height - 12 - len(snapshot.nodes) - (len(snapshot.verdict) + 5 if snapshot.verdict else 0)
    if free >= CHART_LINES + 1 + HAPPENINGS_MAX // 2:
        body += [*rate_chart(snapshot.rates, inner, CHART_LINES), Text()]
        free -= CHART_LINES + 1
    body += _happenings(snapshot.happenings, min(HAPPENINGS_MAX, max(HAPPENINGS_MIN, free)), inner)
    if snapshot.verdict:
        body += [Text(), *(_verdict_line(text, holds) for text, holds in snapshot.verdict)]
    return Panel(
        Group(*body),
        box=box.ROUNDED,
        border_style=_mood(snapshot),
        title=Text.assemble((" moorline demo ", "bold"), (f"{snapshot.elapsed_s:5.1f} s ", DIM)),
        title_align="left",
        width=inner + 4,
        padding=(0, 1),
    )


def _mood(snapshot: Snapshot) -> str:
    if snapshot.verdict:
        return GOOD if all(holds for _, holds in snapshot.verdict) else BAD
    if snapshot.hub == "dead" or snapshot.phase is Phase.NODE_DEAD:
        return BAD
    return WARN if snapshot.phase in {Phase.HUB_STARTING, Phase.NODES_RETURNING, Phase.NODE_RETURNING} else ACCENT


def _headline(snapshot: Snapshot, width: int) -> Text:
    if snapshot.verdict:
        holds = all(holds for _, holds in snapshot.verdict)
        words = "Nothing was lost, and nothing ran twice" if holds else "Something went wrong"
        return _line(Text(words, style=f"bold {GOOD if holds else BAD}"), width)
    return _line(Text(sentence(snapshot.phase), style=f"bold {_mood(snapshot)}"), width)


def _stations(phase: Phase, width: int) -> Text:
    """Draw the road: what is behind, where we are, what is to come."""
    here = next(index for index, (_, phases) in enumerate(_STATIONS) if phase in phases)
    text = Text()
    for index, (name, _) in enumerate(_STATIONS):
        if index:
            text.append(" ─ " if width >= WIDTH_COMFORTABLE + 8 else "─", DIM)
        mark, style = ("✓", GOOD) if index < here else ("◆", f"bold {WARN}") if index == here else ("○", DIM)
        is_named = width >= WIDTH_COMFORTABLE or index == here
        text.append(f"{mark} {name}" if is_named else mark, style)
    return _line(text, width)


def _bar(snapshot: Snapshot, width: int) -> Text:
    """Draw done, running and accepted as one bar; a third and two thirds, where things are killed, are marked."""
    label = f" {snapshot.told:>4}/{snapshot.tasks}"
    cells = width - len(label)
    done = _cells(snapshot.told, snapshot.tasks, cells)
    under_way = _cells(snapshot.told + snapshot.running + snapshot.waiting, snapshot.tasks, cells)
    accepted = max(_cells(snapshot.accepted, snapshot.tasks, cells), under_way)
    text = Text()
    for cell in range(cells):
        style = ACCENT if cell < done else WARN if cell < under_way else "grey42" if cell < accepted else "grey19"
        is_mark = cell in {cells // 3, 2 * cells // 3}
        text.append("┿" if is_mark else "━", style)
    text.append(label, "bold")
    return text


def _counts(snapshot: Snapshot, width: int) -> Text:
    failed = snapshot.told - snapshot.outcomes.get("succeeded", 0)
    entries = [
        ("succeeded", snapshot.outcomes.get("succeeded", 0), ACCENT),
        ("failed", failed, BAD if failed else DIM),
        ("running", snapshot.running, WARN),
        ("to deliver", snapshot.waiting, WARN if snapshot.waiting else DIM),
    ]
    text = Text()
    for name, count, style in entries:
        text.append(f"{count} ", f"bold {style}")
        text.append(f"{name}   ", DIM)
    # The average of two seconds: a single half second says little.
    recent = snapshot.rates[-4:]
    text.append(f"{sum(recent) / len(recent) if recent else 0.0:.0f}/s ", DIM)
    free = width - text.cell_len
    text.append(spark_line(snapshot.rates[-free:] if free > 0 else ()), ACCENT)
    return _line(text, width)


def rate_chart(values: Sequence[float], width: int, lines: int) -> list[Text]:
    """Draw numbers as columns over several lines, the newest on the right; says what a full column stands for."""
    top = ceiling(values)
    label = f" {top:.0f}/s"
    shown = list(values[-(width - len(label)) :])
    drawn = [Text(filled or " ", ACCENT, no_wrap=True) for filled in columns(shown, lines, top)]
    drawn[0].append(label, DIM)
    return drawn


def _nodes(snapshot: Snapshot, width: int) -> Table:
    is_roomy = width >= WIDTH_COMFORTABLE
    table = Table(box=None, padding=(0, 2 if is_roomy else 1, 0, 0), show_header=True, header_style=DIM, width=width)
    table.add_column("", width=8, no_wrap=True)
    table.add_column("state", width=18, no_wrap=True)
    table.add_column("slots", min_width=8, no_wrap=True)
    table.add_column("done", justify="right", width=5, no_wrap=True)
    table.add_column("to deliver", justify="right", width=10, no_wrap=True)
    if is_roomy:
        table.add_column("reconnects", justify="right", width=10, no_wrap=True)
    mark, words, style = _HUB_LOOKS[snapshot.hub]
    table.add_row(Text("hub", "bold"), Text(f"{mark} {words}", style))
    for node in snapshot.nodes:
        row = _node_row(node)
        table.add_row(*(row if is_roomy else row[:-1]))
    return table


def _node_row(node: NodeLook) -> tuple[Text, ...]:
    mark, words, style = _NODE_LOOKS[node.state]
    running = min(node.running, node.slots)
    slots = Text("▮" * running, style if node.state != "dead" else DIM)
    slots.append("▯" * (node.slots - running), DIM)
    return (
        Text(node.node_id, "bold"),
        Text(f"{mark} {words}", style),
        slots,
        Text(str(node.done)),
        Text(str(node.waiting), WARN if node.waiting else DIM),
        Text(str(node.reconnects), "default" if node.reconnects else DIM),
    )


def _happenings(happenings: Sequence[Happening], lines: int, width: int) -> list[Text]:
    drawn = [_happening(happening, width) for happening in happenings[-lines:]]
    return drawn + [Text()] * (lines - len(drawn))


def _happening(happening: Happening, width: int) -> Text:
    mark, style = _TONES[happening.tone]
    return _line(
        Text.assemble((f"{happening.elapsed_s:5.1f} s  ", DIM), (f"{mark} ", style), (happening.text, style)), width
    )


def _verdict_line(text: str, holds: bool) -> Text:
    return Text.assemble(("✓ ", f"bold {GOOD}") if holds else ("✗ ", f"bold {BAD}"), (text, "bold"))


def _line(text: Text, width: int) -> Text:
    """Keep a text to one line."""
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text


def _cells(count: int, total: int, cells: int) -> int:
    return cells * min(count, total) // total if total else 0
