"""All at a glance: how many of what, what is not well, the last ten minutes, and the fleet as a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.text import Text

from dashboards.charts import ceiling, columns, resampled, spark_line
from dashboards.terminal import node_map
from dashboards.terminal.looks import (
    BAD,
    BUSY,
    CHOSEN,
    DIM,
    PLAIN,
    STRONG,
    WELL,
    Look,
    event_look,
    node_look,
    task_look,
)
from dashboards.terminal.scrolling import window
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import State
from dashboards.terminal.texts import beside, clean, cut, line, padded, spread, width_of
from dashboards.terminal.troubles import Trouble, troubles
from dashboards.terminal.views.tasks import span
from moorline.words import clock

# With so many lines there is room for empty ones between the blocks.
ROOMY_LINES: Final = 20
# A chart beside another one needs so many cells; more than so many lines tell nothing more.
CHART_CELLS_MIN: Final = 48
CHART_LINES_MAX: Final = 4
GAP: Final = "   "
# With fewer lines to spare nothing is told of what happened lately.
LATELY_LINES_MIN: Final = 3

# What somebody looks for first: where it is narrow the last ones are left out.
_TASK_STATES: Final = ("queued", "running", "lost", "failed", "succeeded", "expired", "scheduled", "cancelled")
# Nothing queued, and nothing running, is worth being told.
_ALWAYS: Final = frozenset({"queued", "running"})
_NODE_STATES: Final = ("online", "draining", "unreachable")


class Entry(NamedTuple):
    """How many there are of something."""

    look: Look
    many: int


class Trend(NamedTuple):
    """One row of the last ten minutes."""

    key: str
    label: str
    style: str


# The most telling first: where there are few lines, the last ones are left out.
TRENDS: Final = (
    Trend("finished", "finished", WELL),
    Trend("failed", "failed", BAD),
    Trend("queued", "queued", PLAIN),
    Trend("running", "running", BUSY),
    Trend("wait", "wait p95", PLAIN),
    Trend("run", "run p95", PLAIN),
)
_LABEL_CELLS: Final = max(len(trend.label) for trend in TRENDS)
_VALUE_CELLS: Final = 9


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    found = troubles(snapshot)
    blocks = [_counts(snapshot, width, height)]
    gap = 1 if height >= ROOMY_LINES else 0
    free = height - len(blocks[0]) - gap
    if found:
        shown = min(len(found), max(1, free // 4))
        blocks.append(_troubles(found, state, width, shown))
        free -= shown + gap
    charts = _charts(snapshot, width, free)
    if charts:
        blocks.append(charts)
        free -= len(charts) + gap
    drawn = _map(snapshot, width, free)
    if drawn:
        blocks.append(drawn)
        free -= len(drawn) + gap
    lately = _lately(snapshot, width, free)
    if lately:
        blocks.append(lately)
    lines: list[Text] = []
    for block in blocks:
        if lines and gap:
            lines.append(line())
        lines += block
    return lines


def _counts(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """Give how many tasks and nodes there are in each state, on one line or two."""
    if snapshot.stats is None:
        return [line()]
    tasks, nodes = snapshot.stats.tasks, snapshot.stats.nodes
    said = [
        Entry(task_look(state), tasks.get(state, 0)) for state in _TASK_STATES if tasks.get(state) or state in _ALWAYS
    ]
    about_nodes = [Entry(node_look(state), nodes[state]) for state in _NODE_STATES if nodes.get(state)]
    first, second = _entries("tasks", said, width), _entries("nodes", about_nodes, width)
    free = sum(node.slots - node.slots_in_use for node in snapshot.map if node.state == "online" and not node.cordoned)
    slots = sum(node.slots for node in snapshot.map if node.state == "online")
    if slots:
        more = line((f"   {free:,}", STRONG), (f" of {slots:,} slots free", DIM))
        if second.cell_len + more.cell_len <= width:
            second.append_text(more)
    if first.cell_len + second.cell_len + 4 <= width:
        return [line_of(first, second)]
    return [first, second] if height > 3 else [first]


def line_of(first: Text, second: Text) -> Text:
    """Put two texts on one line."""
    made = first.copy()
    made.append("    ")
    made.append_text(second)
    return made


def _entries(title: str, entries: Sequence[Entry], width: int) -> Text:
    """Put counts on a line, as many as fit."""
    made = line((f"{title} ", DIM))
    for place, (look, many) in enumerate(entries):
        number = f"{'  ' if place else ''}{look.glyph} {many:,}"
        word = f" {look.word}"
        if made.cell_len + width_of(number + word) > width:
            break
        made.append(number, look.style or None)
        made.append(word, DIM)
    if not entries:
        made.append("none", DIM)
    return made


def _troubles(found: Sequence[Trouble], state: State, width: int, height: int) -> list[Text]:
    """Give what is not well, a line each; the last line says how much more there is."""
    top = window(state.overview.top, state.overview.index, height, len(found))
    lines = []
    for number, trouble in enumerate(found[top : top + height], top):
        # The chosen one keeps its colours: it must not look worse than it is, nor better.
        style = f"{trouble.look.style} {CHOSEN}" if number == state.overview.index else trouble.look.style
        left = line((f"{trouble.look.glyph} {trouble.what}", style))
        hidden = len(found) - top - height
        is_last = number == top + height - 1 and hidden > 0
        right = f"+{hidden} more" if is_last else trouble.age
        room = width - left.cell_len - width_of(right) - 3
        if trouble.detail and room > 8:
            left.append(f"  {cut(trouble.detail, room - 1)}")
        lines.append(spread(left, line((right, DIM)), width))
    return lines


def _charts(snapshot: Snapshot, width: int, free: int) -> list[Text]:
    """Draw the last ten minutes: as many beside each other as fit, and as high as there is room."""
    if snapshot.stats is None or free < 2:
        return []
    beside_each_other = max(1, min(3, (width + len(GAP)) // (CHART_CELLS_MIN + len(GAP))))
    rows = -(-len(TRENDS) // beside_each_other)
    # At least half is the map's.
    high = max(1, min(CHART_LINES_MAX, free // 3 // rows))
    # High ones must not touch each other.
    gap = 1 if high > 1 else 0
    if rows * high > max(1, free // 2):
        rows = max(1, free // 2 // high)
    cells = (width - len(GAP) * (beside_each_other - 1)) // beside_each_other
    lines: list[Text] = []
    for start in range(0, rows * beside_each_other, beside_each_other):
        block: list[Text] = []
        for trend in TRENDS[start : start + beside_each_other]:
            drawn = _chart(snapshot, trend, cells, high)
            block = list(beside(block, drawn, _block_width(block, cells), GAP)) if block else drawn
        lines += [line()] * (gap if lines else 0) + block
    return lines


def _block_width(block: Sequence[Text], cells: int) -> int:
    """Give the width of what stands left of the next chart: whole charts and the gaps between them."""
    widest = max(text.cell_len for text in block)
    return -(-(widest + len(GAP)) // (cells + len(GAP))) * (cells + len(GAP)) - len(GAP)


def _chart(snapshot: Snapshot, trend: Trend, width: int, high: int) -> list[Text]:
    value = _value(snapshot, trend.key)
    room = width - _LABEL_CELLS - _VALUE_CELLS - 2
    label = padded(trend.label, _LABEL_CELLS)
    if room < 4:
        return [line((label, DIM), " ", (padded(value, max(1, width - _LABEL_CELLS - 1)), trend.style))]
    values = resampled(snapshot.trends.columns.get(trend.key, ()), room)
    told = (padded(value, _VALUE_CELLS, is_right=True), trend.style)
    if high == 1 or not values:
        return [line((label, DIM), " ", (padded(spark_line(values), room), trend.style), " ", told)] + [line()] * (
            high - 1
        )
    top = ceiling(values)
    drawn = columns(values, high, top)
    lines = [line((label, DIM), " ", (padded(drawn[0], room), trend.style), " ", told)]
    lines += [line(" " * (_LABEL_CELLS + 1), (padded(part, room), trend.style)) for part in drawn[1:]]
    return lines


def _value(snapshot: Snapshot, key: str) -> str:
    """Give the number of now, with its unit."""
    stats = snapshot.stats
    if stats is None:
        return ""
    match key:
        case "finished":
            return rate(stats.rates.finished)
        case "failed":
            return rate(stats.rates.failed)
        case "queued" | "running":
            return f"{stats.tasks.get(key, 0):,}"
        case _:
            known = [value for value in snapshot.trends.columns.get(key, ()) if value is not None]
            return span(known[-1]) if known else "-"


def rate(per_second: float) -> str:
    """Show a rate; what is rare is told per minute."""
    if per_second == 0:
        return "0/s"
    if per_second < 0.95:
        return f"{per_second * 60:.0f}/min" if per_second >= 1 / 60 else "<1/min"
    return f"{per_second:,.1f}/s" if per_second < 100 else f"{per_second:,.0f}/s"


def _map(snapshot: Snapshot, width: int, free: int) -> list[Text]:
    """Draw the fleet under a line that says what the cells mean."""
    if free < 2 or not snapshot.map:
        return []
    drawing = node_map.draw(snapshot.map, width, free - 1)
    if not drawing.lines:
        return []
    marks = line()
    for text, style in node_map.legend(snapshot.map, drawing.scale):
        marks.append(f"{text}  ", style or None)
    return [spread(marks, line((drawing.scale, DIM)), width), *drawing.lines]


def _lately(snapshot: Snapshot, width: int, free: int) -> list[Text]:
    """Tell what happened to nodes and alerts, where there is room for it."""
    if free < LATELY_LINES_MIN or not snapshot.lately:
        return []
    lines = [line(("lately", STRONG))]
    for event in snapshot.lately[: free - 1]:
        look = event_look(event.kind)
        subject = clean(event.node_id or event.name)
        said = line((clock(event.at)[:8], DIM), "  ", (padded(look.text, 14), look.style), padded(subject, 24), "  ")
        said.append(cut(clean(event.reason), max(1, width - said.cell_len)), DIM)
        lines.append(said)
    return lines
