"""All at a glance: how many of what, what is not well, the last ten minutes, and the fleet as a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
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
from dashboards.terminal.texts import beside, clean, cut, cut_middle, line, padded, rate, spread, width_of
from dashboards.terminal.troubles import Trouble, troubles
from dashboards.terminal.views.tasks import span
from moorline.views import Event
from moorline.words import clock

# With so many lines there is room for empty ones between the blocks.
ROOMY_LINES: Final = 20
# A chart beside another one needs so many cells; more than so many lines tell nothing more.
CHART_CELLS_MIN: Final = 48
CHART_LINES_MAX: Final = 4
GAP: Final = "   "
# However low it is, so many lines say what is not well: more than charts and map do.
TROUBLES_MIN: Final = 2
# Less of what a trouble is about tells nothing.
DETAIL_CELLS_MIN: Final = 8
# What stands in place of the map.
NO_NODES: Final = "The map of all slots stands here once a node has registered; `moorline node --app …` runs one."
# Whom something happened to: as wide as most names.
LATELY_SUBJECT_CELLS: Final = 32
# What happens to many at once is told by the hub within a few seconds.
ALIKE_WITHIN_S: Final = 5.0
# An alert and the event that tells of it have times that differ by less.
SAME_MOMENT_S: Final = 1.0
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
# What fills a chart at least, in the chart's unit: waits that nobody feels must not look like a full queue.
LEAST_TOPS: Final = {"wait": 0.1}
_LABEL_CELLS: Final = max(len(trend.label) for trend in TRENDS)
_VALUE_CELLS: Final = 9
_MOST_CELLS: Final = 13
# From this width on the highest number stands beside a chart of one line.
MOST_BESIDE_CELLS: Final = 70
# What a chart shows, where there is a line for that.
TREND_SPAN: Final = "10 min"


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    found = troubles(snapshot)
    blocks = [_counts(snapshot, width, height)]
    gap = 1 if height >= ROOMY_LINES else 0
    free = height - len(blocks[0]) - gap
    if found:
        shown = min(len(found), max(TROUBLES_MIN, free // 3), max(1, free))
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
        Entry(_look_of(snapshot, state), tasks.get(state, 0))
        for state in _TASK_STATES
        if tasks.get(state) or state in _ALWAYS
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


def _look_of(snapshot: Snapshot, state: str) -> Look:
    """Give the look of a count of tasks. What failed long ago and is kept is nothing to look at now."""
    look = task_look(state)
    return look if state != "failed" or _fails(snapshot) else look._replace(style=PLAIN)


def _fails(snapshot: Snapshot) -> bool:
    """Tell whether anything has failed in the last ten minutes."""
    return _now(snapshot, "failed") > 0 or any(snapshot.trends.columns.get("failed", ()))


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
    """Give what is not well, a line each; the first and the last line say how much more there is."""
    top = window(state.overview.top, state.overview.index, height, len(found))
    hidden = len(found) - top - height
    lines = []
    for number, trouble in enumerate(found[top : top + height], top):
        above = f"↑ {top} more" if top and number == top else ""
        below = f"↓ {hidden} more" if hidden > 0 and number == top + height - 1 else ""
        right = " ".join(filter(None, [above, below])) or trouble.since
        # The chosen one keeps its colours: it must not look worse than it is, nor better.
        style = f"{trouble.look.style} {CHOSEN}" if number == state.overview.index else trouble.look.style
        room = width - width_of(right) - 1
        left = line((cut(f"{trouble.look.glyph} {trouble.what}", room), style))
        room -= left.cell_len + 2
        if trouble.detail and room > DETAIL_CELLS_MIN:
            left.append(f"  {cut(trouble.detail, room)}", DIM if trouble.look.style == DIM else None)
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
    known = [each for each in snapshot.trends.columns.get(trend.key, ()) if each is not None]
    # Without its scale a chart says only that something was more than something else.
    most = f"max {_told(trend.key, max([*known, _now(snapshot, trend.key)]))}" if known else ""
    if high == 1 and width >= MOST_BESIDE_CELLS:
        value = f"{padded(value, _VALUE_CELLS, is_right=True)}  {padded(most, _MOST_CELLS)}"
    value_cells = max(_VALUE_CELLS if high == 1 else _MOST_CELLS, width_of(value))
    # Where nothing fails, nothing about that must catch the eye.
    style = DIM if trend.key == "failed" and not _fails(snapshot) else trend.style
    room = width - _LABEL_CELLS - value_cells - 2
    label = padded(trend.label, _LABEL_CELLS)
    if room < 4:
        return [line((label, DIM), " ", (padded(value, max(1, width - _LABEL_CELLS - 1)), style))]
    values = resampled(snapshot.trends.columns.get(trend.key, ()), room)
    is_zero = trend.key == "failed" and not _now(snapshot, "failed")
    told = (padded(value, value_cells, is_right=True), DIM if is_zero else style)
    top = max(ceiling(values), LEAST_TOPS.get(trend.key, 0.0))
    if high == 1 or not values:
        return [line((label, DIM), " ", (padded(spark_line(values, top), room), style), " ", told)] + [line()] * (
            high - 1
        )
    drawn = columns(values, high, top)
    lines = [line((label, DIM), " ", (padded(drawn[0], room), style), " ", told)]
    said = [(TREND_SPAN, most), *[("", "")] * high]
    lines += [
        line((padded(left, _LABEL_CELLS), DIM), " ", (padded(part, room), style), " ",
             (padded(right, value_cells, is_right=True), DIM))
        for part, (left, right) in zip(drawn[1:], said, strict=False)
    ]  # fmt: skip
    return lines


def _value(snapshot: Snapshot, key: str) -> str:
    """Give the number of now, with its unit."""
    stats = snapshot.stats
    if stats is None:
        return ""
    match key:
        case "finished" | "failed" | "queued" | "running":
            return _told(key, _now(snapshot, key))
        case _:
            known = [value for value in snapshot.trends.columns.get(key, ()) if value is not None]
            return span(known[-1]) if known else "-"


def _now(snapshot: Snapshot, key: str) -> float:
    """Give the number of now, which the columns do not have yet; 0 for what is known for whole steps only."""
    stats = snapshot.stats
    if stats is None:
        return 0.0
    match key:
        case "finished":
            return stats.rates.finished
        case "failed":
            return stats.rates.failed
        case "queued" | "running":
            return stats.tasks.get(key, 0)
        case _:
            return 0.0


def _told(key: str, value: float) -> str:
    """Give a number of a trend with its unit."""
    match key:
        case "finished" | "failed":
            return rate(value)
        case "queued" | "running":
            return f"{value:,.0f}"
        case _:
            return span(value)


def _map(snapshot: Snapshot, width: int, free: int) -> list[Text]:
    """Draw the fleet under a line that says what the cells mean."""
    if free >= 1 and snapshot.stats is not None and not any(snapshot.stats.nodes.values()):
        return [line((cut(NO_NODES, width), DIM))]
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
    # On a hub with much to do the stream of events begins minutes ago; which alerts ended before that is known, too.
    begun_at = snapshot.lately[-1].at if snapshot.lately else snapshot.now_at
    events = [*snapshot.lately, *(event for event in snapshot.over if event.at < begun_at - SAME_MOMENT_S)]
    if free < LATELY_LINES_MIN or not events:
        return []
    lines = [line(("lately", STRONG), ("  newest first, UTC", DIM))]
    for alike in islice(_alike(events), free - 1):
        event = alike[0]
        look = event_look(event.kind)
        subject = cut_middle(clean(event.node_id or event.name), LATELY_SUBJECT_CELLS)
        if len(alike) > 1:
            more = f" and {len(alike) - 1:,} more"
            subject = cut_middle(clean(event.node_id), max(1, LATELY_SUBJECT_CELLS - width_of(more))) + more
        said = line((clock(event.at)[:8], DIM), "  ", (padded(look.text, 14), look.style))
        said.append(padded(subject, LATELY_SUBJECT_CELLS) + "  ")
        said.append(cut(clean(event.reason), max(1, width - said.cell_len)), DIM)
        lines.append(said)
    return lines


def _alike(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Give what happened to several nodes at the same time and for the same reason as one."""
    group: list[Event] = []
    for event in events:
        is_alike = (
            group
            and event.node_id
            and group[-1].node_id
            and (event.kind, event.reason) == (group[-1].kind, group[-1].reason)
            and abs(group[-1].at - event.at) <= ALIKE_WITHIN_S
        )
        if group and not is_alike:
            yield group
            group = []
        group.append(event)
    if group:
        yield group
