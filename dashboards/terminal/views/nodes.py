"""The nodes as a table: how each is, what it does, how its link is, and why it was away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from rich.text import Text

from dashboards.charts import bar
from dashboards.terminal.bindings import chosen_node
from dashboards.terminal.columns import Column
from dashboards.terminal.looks import BUSY, DIM, PLAIN, STRONG, WARN, WELL, node_look
from dashboards.terminal.presence import strip
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import NODE_SORTS, State
from dashboards.terminal.texts import Part, clean, line, width_of
from dashboards.terminal.views.table import table
from moorline.views import NodeView
from moorline.words import ago, pairs

# Eight slots are drawn one by one; more are shown in proportion.
BAR_CELLS: Final = 8

COLUMNS: Final = (
    Column(title="NODE", width=8, width_max=64, is_name=True),
    Column(title="STATE", width=13),
    Column(title="SLOTS", rank=1, width=BAR_CELLS),
    Column(title="RUNS", rank=2, width=5, is_right=True),
    Column(title="FOR", rank=3, width=4, is_right=True),
    Column(title="TRIP", rank=5, width=7, is_right=True),
    Column(title="DONE", rank=4, width=7, is_right=True),
    Column(title="FAILED", rank=6, width=6, is_right=True),
    Column(title="CONNECTS", rank=8, width=8, is_right=True),
    Column(title="OUTBOX", rank=7, width=6, is_right=True),
    Column(title="LAST AWAY", rank=9, width=18, width_max=40),
    Column(title="LABELS", rank=10, width=12, width_max=40),
    Column(title="VERSION", rank=11, width=7, width_max=16),
)


# Where a node is away, for how long and why are worth more than what it did before.
_AWAY_RANKS: Final = {"FOR": 1, "RUNS": 1, "LAST AWAY": 2, "SLOTS": 3}
_COLUMNS_AWAY: Final = tuple(
    replace(column, rank=_AWAY_RANKS.get(column.title, column.rank), share=4 if column.title == "LAST AWAY" else 0)
    for column in COLUMNS
)

# What is said of the chosen node below the table, if its column had no room.
_TOLD: Final = ("LAST AWAY", "CONNECTS", "OUTBOX", "TRIP", "FAILED", "LABELS", "VERSION")


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    return table(
        "nodes",
        snapshot.nodes,
        state.nodes,
        order=NODE_SORTS[state.node_sort][1],
        columns=_COLUMNS_AWAY if any(node.state == "unreachable" for node in snapshot.nodes.rows) else COLUMNS,
        cells_of=lambda node: _cells(node, snapshot.now_at),
        about=lambda node, titles: _about(node, snapshot.now_at, titles),
        empty="No node has registered yet; `moorline node --app …` runs one.",
        width=width,
        height=height,
        is_hub_here=snapshot.link.state in {"live", "connecting"},
        strip=_presence(snapshot, state, width),
    )


def _presence(snapshot: Snapshot, state: State, width: int) -> Text:
    """Draw when the chosen node was here in the last 24 hours, as far as it is read."""
    node, known = chosen_node(snapshot, state), snapshot.presence
    if node is None or known is None or known.node_id != node.id:
        return line()
    return strip(known, snapshot.now_at, width)


def _about(node: NodeView, now_at: float, titles: Collection[str]) -> list[Part]:
    """Say what the columns had no room for, the most telling first."""
    cells = dict(zip((column.title for column in COLUMNS), _cells(node, now_at), strict=True))
    missing = [
        (f"{title.lower()} {cells[title][0]}", cells[title][1])
        for title in _TOLD
        if title not in titles and cells[title][0]
    ]
    runs = f"handles {', '.join(sorted(clean(name) for name in node.handlers))}" if node.handlers else ""
    known = f"known for {ago(node.first_seen_at, now_at)}" if node.first_seen_at else ""
    name = clean(node.name) if node.name != node.id else ""
    load = "" if node.load is None or _is_away(node) else f"load {node.load:.2f}"
    return [(clean(node.id), STRONG), (name, PLAIN), *missing, (load, PLAIN), (known, DIM), (runs, DIM)]


def _is_away(node: NodeView) -> bool:
    return node.state in {"unreachable", "gone"}


def _cells(node: NodeView, now_at: float) -> list[Part]:
    look = node_look(node.state, cordoned=node.cordoned)
    is_away = _is_away(node)
    # One that left in good order is nothing to look at.
    alarm = WARN if node.state == "unreachable" else DIM
    last = node.last_disconnect
    # When it was last heard of is stored now and then only; when its connection ended is known.
    since_at = node.connected_at if not is_away else last.at if last is not None else node.last_seen_at
    reason = (clean(last.reason) or "no reason given") if last else ""
    # For how long one is away stands in a column of its own.
    why = f"{ago(last.at, now_at)} ago: {reason}" if last and not is_away else reason
    used = node.slots_in_use
    return [
        (clean(node.id), PLAIN),
        (look.text, look.style),
        (_slots(node), DIM if is_away else WELL if used else DIM),
        # Of a node that is away: what it ran when it was last heard of, and may run still.
        (f"{'-' if used is None else used}/{node.slots}", alarm if is_away and used else PLAIN),
        (ago(since_at, now_at), alarm if is_away else PLAIN),
        ("" if node.round_trip_ms is None or is_away else _trip(node.round_trip_ms), PLAIN),
        (_total(node, "succeeded"), PLAIN),
        (_total(node, "failed"), PLAIN),
        (str(node.connects), PLAIN),
        ("" if not node.outbox else str(node.outbox), BUSY),
        (why, alarm if is_away else DIM),
        (clean(pairs(node.labels)), DIM),
        (clean(node.version), DIM),
    ]


def _trip(milliseconds: float) -> str:
    return "<1 ms" if milliseconds < 1 else f"{milliseconds:,.0f} ms"


def _slots(node: NodeView) -> str:
    used = node.slots_in_use or 0
    if _is_away(node):
        return ("▲" if node.state == "unreachable" else "·") * min(node.slots, BAR_CELLS)
    if node.slots <= BAR_CELLS:
        return "■" * min(used, node.slots) + "□" * max(0, node.slots - used)
    return "".join(bar(used / node.slots, BAR_CELLS, "■", "□"))


def _total(node: NodeView, word: str) -> str:
    count = node.totals.get(word, 0)
    text = f"{count:,.0f}"
    # As wide as its column at most: what is large is told in thousands.
    return text if width_of(text) <= 7 else f"{count / 1e6:.1f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"
