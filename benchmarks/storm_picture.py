"""The picture of a storm, as SVG text: who is back by when, and how hard the hub is knocked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.storm_world import Course
from hub.decisions.admission import SAVED_S_MAX

WIDTH: Final = 860
HEIGHT: Final = 640
LEFT: Final = 70
RIGHT: Final = 830

# How far the time axis goes beyond the moment at which the hub could have admitted everybody.
MARGIN: Final = 1.9

COLOURS: Final = ("#0b7285", "#e8590c", "#868e96")
INK: Final = "#343a40"
FAINT: Final = "#dee2e6"

Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """One pair of axes: what to call it, where it stands, and the scales."""

    title: str
    top: float
    bottom: float
    x: Scale
    y: Scale

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, dashes: str = "") -> str:
        path = " ".join(f"{self.x(at_s):.1f},{self.y(value):.1f}" for at_s, value in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'


def draw(courses: Mapping[str, Course]) -> str:
    """Draw up to three courses of the same storm; give the text of an SVG file."""
    storm = next(iter(courses.values())).storm
    ends_s = MARGIN * storm.nodes / storm.admissions_per_s
    x = _linear(-storm.outage_s, ends_s, LEFT, RIGHT)
    back = _Panel(title="nodes back", top=110, bottom=330, x=x, y=_linear(0, storm.nodes, 330, 110))
    dials_max = 10 ** math.ceil(math.log10(max(max(course.dials.values()) for course in courses.values())))
    knocks = _Panel(
        title="dials per second (logarithmic)", top=400, bottom=590, x=x, y=_logarithmic(1, dials_max, 590, 400)
    )
    parts = [
        *_head(storm.nodes, storm.outage_s, storm.admissions_per_s),
        *_legend(list(courses)),
        *_axes(back, _time_marks(storm.outage_s, ends_s), [storm.nodes * share / 4 for share in range(5)]),
        *_axes(knocks, _time_marks(storm.outage_s, ends_s), _powers(dials_max)),
        back.line(_fastest(storm.nodes, storm.admissions_per_s), INK, dashes="3 4"),
        knocks.line([(0, storm.admissions_per_s), (ends_s, storm.admissions_per_s)], INK, dashes="3 4"),
    ]
    for colour, course in reversed(list(zip(COLOURS, courses.values(), strict=False))):
        parts.append(back.line(_returns(course, ends_s), colour))
        parts.append(knocks.line(_knocks(course, ends_s), colour))
    return "\n".join([*parts, "</svg>", ""])


# --- what is drawn --------------------------------------------------------------------------------------------------


def _returns(course: Course, ends_s: float) -> list[tuple[float, float]]:
    """Give how many are back by each quarter of a second."""
    points, count = [(-course.storm.outage_s, 0.0)], 0
    for quarter in range(int(4 * ends_s) + 1):
        while count < len(course.back_s) and course.back_s[count] <= quarter / 4:
            count += 1
        points.append((quarter / 4, float(count)))
    return points


def _knocks(course: Course, ends_s: float) -> list[tuple[float, float]]:
    """Give the dials of each second as steps; a second without any stands at 1, where the axis begins."""
    points: list[tuple[float, float]] = []
    for second in range(-int(course.storm.outage_s), int(ends_s)):
        count = float(max(1, course.dials[second]))
        points += [(second, count), (second + 1, count)]
    return points


def _fastest(nodes: int, rate_per_s: float) -> list[tuple[float, float]]:
    """Give the line that no policy can pass: what the hub has saved at once, and then the rate."""
    saved = min(float(nodes), rate_per_s * SAVED_S_MAX)
    return [(0, saved), ((nodes - saved) / rate_per_s, nodes)]


# --- the paper ------------------------------------------------------------------------------------------------------


def _head(nodes: int, outage_s: float, rate_per_s: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>'
    title = f"{nodes:,} nodes come back after {outage_s:g} s without a hub that admits {rate_per_s:g} a second"
    yield f'<text x="{LEFT}" y="34" font-size="17" font-weight="600" fill="{INK}">{title}</text>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    at = LEFT
    for colour, name in (*zip(COLOURS, names, strict=False), (INK, "the most that the hub admits")):
        dashes = ' stroke-dasharray="3 4"' if colour == INK else ""
        yield f'<line x1="{at}" y1="59" x2="{at + 28}" y2="59" stroke="{colour}" stroke-width="3"{dashes}/>'
        yield f'<text x="{at + 36}" y="64" fill="{INK}">{name}</text>'
        # About 7.5 units for each letter of this size.
        at += 64 + round(7.5 * len(name))


def _axes(panel: _Panel, times_s: Sequence[float], values: Sequence[float]) -> Iterator[str]:
    for value in values:
        y = panel.y(value)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}" stroke="{FAINT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{value:,.0f}</text>'
    for at_s in times_s:
        x = panel.x(at_s)
        yield f'<line x1="{x:.1f}" y1="{panel.bottom}" x2="{x:.1f}" y2="{panel.bottom + 5}" stroke="{INK}"/>'
        yield f'<text x="{x:.1f}" y="{panel.bottom + 20}" text-anchor="middle" fill="{INK}">{at_s:g} s</text>'
    away = panel.x(0) - LEFT
    height = panel.bottom - panel.top
    yield f'<rect x="{LEFT}" y="{panel.top}" width="{away:.1f}" height="{height}" fill="#fa5252" opacity="0.12"/>'
    if panel.top < HEIGHT / 3:
        yield f'<text x="{LEFT + away / 2:.1f}" y="{panel.top + 20}" text-anchor="middle" fill="#c92a2a">no hub</text>'
    yield f'<text x="{LEFT}" y="{panel.top - 12}" font-weight="600" fill="{INK}">{panel.title}</text>'


def _time_marks(outage_s: float, ends_s: float) -> list[float]:
    """Give about eight round times, the hub's return among them."""
    step_s = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if (outage_s + ends_s) / step <= 9)
    return [mark * step_s for mark in range(-int(outage_s // step_s), int(ends_s // step_s) + 1)]


def _powers(top: int) -> list[float]:
    return [10.0**power for power in range(round(math.log10(top)) + 1)]


def _linear(low: float, high: float, begin: float, end: float) -> Scale:
    return lambda value: begin + (end - begin) * (value - low) / (high - low)


def _logarithmic(low: float, high: float, begin: float, end: float) -> Scale:
    scale = _linear(math.log10(low), math.log10(high), begin, end)
    return lambda value: scale(math.log10(value))
