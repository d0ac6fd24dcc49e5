"""The picture of a comparison, as SVG text: bars on a logarithmic scale, the range of the rounds as a whisker."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from benchmarks.peers.figures import Measure, Spread, spread
from benchmarks.peers.record import OURS, Entry, Record

WIDTH: Final = 920
LEFT: Final = 252
RIGHT: Final = 790
ROW: Final = 26
BAR: Final = 16
TOP: Final = 96

# Room above and below the rows of a panel: its title, and the numbers of its axis.
PANEL_HEAD: Final = 34
PANEL_FOOT: Final = 44

INK: Final = "#343a40"
FAINT: Final = "#dee2e6"
OURS_COLOUR: Final = "#0b7285"
SYNCED_COLOUR: Final = "#74a5c4"
UNSYNCED_COLOUR: Final = "#f0a868"
FLOOR_COLOUR: Final = "#ced4da"

LEGEND: Final = (
    (OURS_COLOUR, "Moorline: on disk, synced"),
    (SYNCED_COLOUR, "others, on disk, synced"),
    (UNSYNCED_COLOUR, "others, not on disk yet, or never"),
    (FLOOR_COLOUR, "floors: no task system"),
)

Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    label: str
    colour: str
    values: Spread
    is_ours: bool


def draw(record: Record) -> str:
    """Draw the rates and the times of those that have figures; give the text of an SVG file."""
    entries = [entry for entry in record.entries if entry.rounds]
    rates = _bars(entries, "tasks_per_s", best_is_most=True)
    times = _bars(entries, "p50_ms", best_is_most=False)
    height_of_panel = PANEL_HEAD + ROW * len(entries) + PANEL_FOOT
    height = TOP + 2 * height_of_panel
    parts = [
        *_head(record, height),
        *_panel("tasks per second, in bulk (more is better)", rates, TOP, lambda value: f"{value:,.0f}"),
        *_panel(
            "one at a time, p50 in ms (less is better)", times, TOP + height_of_panel, lambda value: f"{value:.3g}"
        ),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _bars(entries: Sequence[Entry], measure: Measure, *, best_is_most: bool) -> list[_Bar]:
    """Give a bar for each, the best first."""
    bars = [
        _Bar(
            label=entry.label,
            colour=_colour(entry),
            values=spread(entry.rounds, measure),
            is_ours=entry.name == OURS,
        )
        for entry in entries
    ]
    return sorted(bars, key=lambda bar: bar.values.median, reverse=best_is_most)


def _colour(entry: Entry) -> str:
    if entry.name == OURS:
        return OURS_COLOUR
    if entry.is_floor:
        return FLOOR_COLOUR
    return SYNCED_COLOUR if entry.is_synced else UNSYNCED_COLOUR


# --- the paper ------------------------------------------------------------------------------------------------------


def _head(record: Record, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>'
    title = f"No-op tasks of {record.payload_bytes} bytes: one server, one worker, one client"
    yield f'<text x="24" y="34" font-size="17" font-weight="600" fill="{INK}">{title}</text>'
    rounds = "one round" if record.rounds == 1 else f"{record.rounds} rounds in turns: median, and range as a whisker"
    said = f"{rounds}; {record.conditions['cores']} cores, {record.conditions['cpu']}; logarithmic"
    yield f'<text x="24" y="55" fill="{INK}">{escape(said)}</text>'
    at = 24.0
    for colour, text in LEGEND:
        yield f'<rect x="{at:.0f}" y="70" width="14" height="14" rx="2" fill="{colour}"/>'
        yield f'<text x="{at + 20:.0f}" y="82" fill="{INK}">{text}</text>'
        # About 6.9 units for each letter of this size.
        at += 40 + 6.9 * len(text)


def _panel(title: str, bars: Sequence[_Bar], top: float, told: Callable[[float], str]) -> Iterator[str]:
    yield f'<text x="24" y="{top + 22}" font-weight="600" fill="{INK}">{title}</text>'
    if not bars:
        return
    marks = powers(min(bar.values.least for bar in bars), max(bar.values.most for bar in bars))
    scale = logarithmic(marks[0], marks[-1], LEFT, RIGHT)
    first, last = top + PANEL_HEAD, top + PANEL_HEAD + ROW * len(bars)
    for mark in marks:
        x = scale(mark)
        yield f'<line x1="{x:.1f}" y1="{first}" x2="{x:.1f}" y2="{last}" stroke="{FAINT}"/>'
        yield f'<text x="{x:.1f}" y="{last + 16}" text-anchor="middle" fill="{INK}">{mark:,g}</text>'
    for place, bar in enumerate(bars):
        yield from _row(bar, first + ROW * place, scale, told)


def _row(bar: _Bar, top: float, scale: Scale, told: Callable[[float], str]) -> Iterator[str]:
    middle = top + ROW / 2
    weight = ' font-weight="600"' if bar.is_ours else ""
    end, least, most = (scale(value) for value in (bar.values.median, bar.values.least, bar.values.most))
    label = escape(bar.label)
    yield f'<text x="{LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end" fill="{INK}"{weight}>{label}</text>'
    yield (
        f'<rect x="{LEFT}" y="{middle - BAR / 2:.1f}" width="{max(1.0, end - LEFT):.1f}" height="{BAR}" rx="2"'
        f' fill="{bar.colour}"/>'
    )
    if least < most:
        yield f'<line x1="{least:.1f}" y1="{middle}" x2="{most:.1f}" y2="{middle}" stroke="{INK}" stroke-width="1.5"/>'
        for x in (least, most):
            yield f'<line x1="{x:.1f}" y1="{middle - 4}" x2="{x:.1f}" y2="{middle + 4}" stroke="{INK}"/>'
    yield (
        f'<text x="{max(end, most) + 8:.1f}" y="{middle + 4:.1f}" fill="{INK}"{weight}>{told(bar.values.median)}</text>'
    )


def powers(least: float, most: float) -> list[float]:
    """Give the powers of ten from the last below the least to the first not below the most: two at the least."""
    low = math.floor(math.log10(least))
    # A bar of the least value must still be seen.
    low -= math.log10(least) - low < 0.2
    return [10.0**power for power in range(low, max(low + 1, math.ceil(math.log10(most))) + 1)]


def logarithmic(low: float, high: float, begin: float, end: float) -> Scale:
    """Give the scale that puts low at begin and high at end, and equal factors at equal distances."""
    span = math.log10(high / low)
    return lambda value: begin + (end - begin) * math.log10(value / low) / span
