"""Values as words for people: time spans, moments, labels, and texts from elsewhere made harmless. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

# Control characters but for line end and tab, and the marks that turn the direction of what follows.
_HARMFUL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Make a text harmless for a terminal: what would steer it is shown as an escape instead."""
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """Make a text one harmless line."""
    return printable(" ".join(text.split("\n")).replace("\t", " "))


def duration(seconds: float | None) -> str:
    """Show a time span in two units at most: ``850 ms``, ``3.2 s``, ``4m 05s``, ``2h 03m``, ``3d 04h``."""
    if seconds is None:
        return "-"
    if 0 < seconds < 0.001:
        return "<1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit_s, unit, part_s, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= unit_s:
            return f"{whole // unit_s}{unit} {whole % unit_s // part_s:02d}{part}"
    raise AssertionError("60 seconds and more have a unit")


def ago(at: float | None, now_s: float) -> str:
    """Show how long ago a moment was, in one unit; a moment to come has a plus."""
    if at is None:
        return "-"
    seconds = now_s - at
    sign, seconds = ("+", -seconds) if seconds < -1 else ("", max(0.0, seconds))
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        # Up to twice the unit the smaller one says more.
        if seconds >= 2 * unit_s:
            return f"{sign}{seconds // unit_s:.0f}{unit}"
    return f"{sign}{seconds:.0f}s"


def moment(at: float | None) -> str:
    """Show a moment in UTC, to the second."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def clock(at: float | None) -> str:
    """Show the time of day of a moment in UTC, to the millisecond."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def pairs(labels: Mapping[str, str]) -> str:
    """Show labels as ``key=value,key=value``."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
