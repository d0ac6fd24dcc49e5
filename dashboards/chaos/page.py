"""The report as one page that needs nothing else: figures, and a timeline drawn as SVG within it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from dashboards.chaos.ledger import DoneFault
from dashboards.chaos.plan import HUB
from dashboards.chaos.report import rows
from dashboards.chaos.stage import Result

WIDTH: Final = 1200.0
LEFT: Final = 90.0
LANE: Final = 18.0
RATE_HEIGHT: Final = 90.0
TOP: Final = 24.0
# So that a fault of no length can be seen and pointed at.
BAR_WIDTH_MIN: Final = 2.5
TICKS_MAX: Final = 12
TICK_STEPS_S: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200)

# One colour for each way of being broken; links share a hue.
COLOURS: Final = {
    "hub_killed": "#c0392b",
    "hub_paused": "#8e44ad",
    "node_killed": "#e74c3c",
    "node_paused": "#9b59b6",
    "link_reset": "#d35400",
    "link_cut": "#e67e22",
    "link_black_hole_up": "#1a5276",
    "link_black_hole_down": "#2471a3",
    "link_black_hole": "#154360",
    "link_stalled": "#5499c7",
    "link_late": "#7dcea0",
    "link_narrow": "#52be80",
    "link_refused": "#b7950b",
    "link_closed": "#d4ac0d",
    "node_disconnected": "#d35400",
    "node_cordoned": "#7f8c8d",
}

_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; color: #1c2833; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { padding: .6rem 1rem; border-radius: 6px; font-weight: 600; background: #d5f5e3; color: #145a32; }
.verdict.bad { background: #fadbd8; color: #78281f; }
table { border-collapse: collapse; } td { padding: .25rem 1rem .25rem 0; vertical-align: top; }
td:first-child { color: #566573; white-space: nowrap; } .bad td { color: #c0392b; font-weight: 600; }
svg { width: 100%; height: auto; } text { font: 11px system-ui, sans-serif; fill: #566573; }
.key span { display: inline-block; margin-right: 1.1rem; white-space: nowrap; }
.key i { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; border-radius: 2px;
  vertical-align: -1px; }
"""


def page(result: Result) -> str:
    """Give the page."""
    report = result.report
    lines = "".join(
        f"<tr{'' if is_well else ' class=bad'}><td>{escape(what)}</td><td>{escape(text)}</td></tr>"
        for what, text, is_well in rows(report)
    )
    verdict = "Nothing was lost, nothing ran twice." if report.is_clean else "An invariant broke."
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in report.problems)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>moorline chaos, seed {report.seed}</title><style>{_STYLE}</style></head><body>"
        f"<h1>moorline chaos</h1><p class='verdict{'' if report.is_clean else ' bad'}'>{verdict}</p>"
        + (f"<ul>{problems}</ul>" if problems else "")
        + f"<h2>What was broken, and what got done meanwhile</h2>{timeline(result)}{_key(result.ledger.faults)}"
        f"<h2>Figures</h2><table>{lines}</table></body></html>\n"
    )


def timeline(result: Result) -> str:
    """Draw a lane for the hub and each node, with a bar for each fault, under the rate at which runs ended."""
    began_at = result.ledger.started_at
    seconds = max(1.0, result.ended_at - began_at)
    lanes = [HUB, *result.node_ids]
    height = TOP + RATE_HEIGHT + len(lanes) * LANE + 24

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * min(max((at - began_at) / seconds, 0.0), 1.0)

    parts = [f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="timeline of faults">']
    parts += _axis(seconds, height, xs=[x(began_at + tick_s) for tick_s in ticks_s(seconds)])
    parts += _rate(result.run_ends, began_at, seconds)
    for number, lane in enumerate(lanes):
        y = TOP + RATE_HEIGHT + number * LANE
        parts.append(f'<text x="{LEFT - 8:.0f}" y="{y + 12:.1f}" text-anchor="end">{escape(lane)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y + 2:.1f}" width="{WIDTH - LEFT - 10:.0f}" height="13" fill="#f4f6f7"/>')
    for fault in result.ledger.faults:
        if fault.victim in lanes:
            y = TOP + RATE_HEIGHT + lanes.index(fault.victim) * LANE
            parts.append(_bar(fault, x(fault.began_at), x(fault.ended_at), y, began_at))
    return "".join([*parts, "</svg>"])


def ticks_s(seconds: float) -> list[int]:
    """Give the times that the axis names."""
    step_s = next((step for step in TICK_STEPS_S if seconds / step <= TICKS_MAX), TICK_STEPS_S[-1])
    return list(range(0, int(seconds) + 1, step_s))


def rates(ends: Sequence[float], began_at: float, seconds: float, bins: int) -> list[float]:
    """Give how many runs ended per second in each of equal parts of the time."""
    counts = [0] * bins
    for at in ends:
        counts[min(bins - 1, max(0, int((at - began_at) / seconds * bins)))] += 1
    return [count * bins / seconds for count in counts]


def _axis(seconds: float, height: float, xs: Sequence[float]) -> list[str]:
    parts = []
    for tick_s, at_x in zip(ticks_s(seconds), xs, strict=True):
        parts.append(f'<line x1="{at_x:.1f}" x2="{at_x:.1f}" y1="{TOP}" y2="{height - 20:.0f}" stroke="#e5e8e8"/>')
        parts.append(f'<text x="{at_x:.1f}" y="{height - 6:.0f}" text-anchor="middle">{tick_s} s</text>')
    return parts


def _rate(ends: Sequence[float], began_at: float, seconds: float) -> list[str]:
    # A bin for each second, or for as many as the width has room for.
    bins = max(1, min(int(seconds), 360))
    per_s = rates(ends, began_at, seconds, bins)
    most = max(per_s) or 1.0
    bottom = TOP + RATE_HEIGHT - 10
    width = (WIDTH - LEFT - 10) / bins
    points = " ".join(
        f"{LEFT + (number + 0.5) * width:.1f},{bottom - (RATE_HEIGHT - 20) * rate / most:.1f}"
        for number, rate in enumerate(per_s)
    )
    right = WIDTH - 10
    return [
        f'<polygon points="{LEFT},{bottom} {points} {right},{bottom}" fill="#d6eaf8"/>',
        f'<polyline points="{points}" fill="none" stroke="#2e86c1" stroke-width="1.2"/>',
        f'<text x="{LEFT - 8:.0f}" y="{TOP + 16:.0f}" text-anchor="end">{most:.0f}/s</text>',
        f'<text x="{LEFT:.0f}" y="{TOP - 8:.0f}">runs that ended, per second</text>',
    ]


def _bar(fault: DoneFault, left: float, right: float, y: float, began_at: float) -> str:
    width = max(BAR_WIDTH_MIN, right - left)
    words = f"{fault.kind} of {fault.victim} at {fault.began_at - began_at:.1f} s for "
    words += f"{fault.ended_at - fault.began_at:.1f} s"
    return (
        f'<rect x="{left:.1f}" y="{y + 2:.1f}" width="{width:.1f}" height="13" rx="2" '
        f'fill="{COLOURS.get(fault.kind, "#7f8c8d")}"><title>{escape(words)}</title></rect>'
    )


def _key(faults: Iterable[DoneFault]) -> str:
    there = {fault.kind for fault in faults}
    entries = "".join(
        f'<span><i style="background:{colour}"></i>{escape(kind.replace("_", " "))}</span>'
        for kind, colour in COLOURS.items()
        if kind in there
    )
    return f'<p class="key">{entries}</p>'
