"""When a node was here and when it was not, as one line: each cell is a part of the last 24 hours. Pure."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from dashboards.terminal.looks import BAD, BUSY, DIM, WARN, WELL
from dashboards.terminal.snapshot import Presence, Span
from dashboards.terminal.texts import line, width_of
from moorline.words import duration

# The worst of what was in a cell is what it shows: an absence of a minute must not get lost in half an hour.
_CELLS: Final = {
    "unreachable": ("▲", BAD),
    "gone": ("·", DIM),
    "draining": ("◐", BUSY),
    "online": ("━", WELL),
}
_WORST_FIRST: Final = tuple(_CELLS)
# A node that left in good order is as little there as one that was lost.
_AWAY: Final = frozenset({"unreachable", "gone"})
_UNKNOWN: Final = (" ", DIM)
# Narrower than this a strip tells nothing.
CELLS_MIN: Final = 12


def strip(presence: Presence, now_at: float, width: int) -> Text:
    """Draw the strip, with how often and how long the node was away."""
    begin = f"{(presence.until_at - presence.since_at) / 3600:.0f}h ago "
    away = _absences_s(presence, now_at)
    times = f"{len(away)} {'time' if len(away) == 1 else 'times'}" if away else "never"
    said = f" now  {times} away" + (f", {duration(int(sum(away)))}" if away else "")
    room = width - width_of(begin) - width_of(said)
    if room < CELLS_MIN:
        return line((said.strip(), WARN if away else DIM))
    parts: list[tuple[str, str]] = []
    for place in range(room):
        glyph, style = _cell(presence, now_at, place, room)
        if parts and parts[-1][1] == style:
            parts[-1] = (parts[-1][0] + glyph, style)
        else:
            parts.append((glyph, style))
    return line((begin, DIM), *parts, (said, WARN if away else DIM))


def _absences_s(presence: Presence, now_at: float) -> list[float]:
    """Give for how long the node was away each time. Unreachable until it was given up is one time, not two."""
    found: list[float] = []
    was_away = False
    for span in presence.spans:
        is_away = span.state in _AWAY
        length_s = _length_s(span, presence, now_at) if is_away else 0.0
        if is_away and was_away:
            found[-1] += length_s
        elif is_away:
            found.append(length_s)
        was_away = is_away
    return found


def _length_s(span: Span, presence: Presence, now_at: float) -> float:
    """Give for how long a span lasted, as far as it is looked at."""
    ended_at = now_at if span.ended_at is None else span.ended_at
    return max(0.0, ended_at - max(span.began_at, presence.since_at))


def _cell(presence: Presence, now_at: float, place: int, room: int) -> tuple[str, str]:
    length_s = (presence.until_at - presence.since_at) / room
    begins_at = presence.since_at + place * length_s
    states = {
        span.state
        for span in presence.spans
        if span.began_at < begins_at + length_s and (now_at if span.ended_at is None else span.ended_at) > begins_at
    }
    return next((_CELLS[state] for state in _WORST_FIRST if state in states), _UNKNOWN)
