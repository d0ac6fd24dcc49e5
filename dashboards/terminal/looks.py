"""How each state looks: a glyph, its word, and a colour; never a colour alone.

Blue is well and orange is not, which everybody can tell apart. Only the 16 colours that each terminal has are named, so
that its owner's palette decides what they are. Each glyph has one ASCII character, for terminals without the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

WELL: Final = "bright_blue"
BUSY: Final = "cyan"
# The sixteen have no orange of their own; what they call yellow is it.
WARN: Final = "yellow"
BAD: Final = "bold yellow"
ALARM: Final = "bold reverse yellow"
DIM: Final = "dim"
STRONG: Final = "bold"
PLAIN: Final = ""
CHOSEN: Final = "reverse"


class Look(NamedTuple):
    """A glyph of one cell, the word that goes with it, and a style."""

    glyph: str
    word: str
    style: str

    @property
    def text(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"


TASK_LOOKS: Final[Mapping[str, Look]] = {
    "scheduled": Look("◷", "scheduled", DIM),
    "queued": Look("○", "queued", PLAIN),
    "running": Look("▸", "running", BUSY),
    "succeeded": Look("✓", "succeeded", WELL),
    "failed": Look("✗", "failed", BAD),
    "cancelled": Look("⊘", "cancelled", DIM),
    "expired": Look("⧗", "expired", WARN),
    "lost": Look("▲", "lost", ALARM),
}

NODE_LOOKS: Final[Mapping[str, Look]] = {
    "online": Look("●", "online", WELL),
    "draining": Look("◐", "draining", BUSY),
    "cordoned": Look("⊘", "cordoned", BUSY),
    "unreachable": Look("▲", "unreachable", BAD),
    "gone": Look("·", "gone", DIM),
}

LEVEL_LOOKS: Final[Mapping[str, Look]] = {
    "ok": Look("●", "OK", f"bold {WELL}"),
    "degraded": Look("▲", "DEGRADED", BAD),
    "critical": Look("✗", "CRITICAL", ALARM),
}

SEVERITY_LOOKS: Final[Mapping[str, Look]] = {
    "warning": Look("▲", "warning", BAD),
    "critical": Look("✗", "CRITICAL", ALARM),
}

# The last word of an event's kind, where it is neither a task's state nor a node's.
EVENT_LOOKS: Final[Mapping[str, Look]] = {
    "progress": Look("…", "progress", DIM),
    "log": Look("·", "log", DIM),
    "uncordoned": Look("●", "uncordoned", WELL),
    "firing": Look("▲", "firing", BAD),
    "resolved": Look("✓", "resolved", WELL),
    "reset": Look("▲", "reset", WARN),
}


def task_look(state: str) -> Look:
    """Give the look of a task's state; a state of a later hub has its word alone."""
    return TASK_LOOKS.get(state) or Look("?", state, PLAIN)


def node_look(state: str, *, cordoned: bool = False) -> Look:
    """Give the look of a node's state; one that is online and takes nothing new is cordoned."""
    if cordoned and state == "online":
        return NODE_LOOKS["cordoned"]
    return NODE_LOOKS.get(state) or Look("?", state, PLAIN)


def level_look(level: str) -> Look:
    """Give the look of a verdict's level."""
    return LEVEL_LOOKS.get(level) or Look("?", level, WARN)


def severity_look(severity: str) -> Look:
    """Give the look of an alert's severity."""
    return SEVERITY_LOOKS.get(severity) or Look("?", severity, WARN)


def event_look(kind: str, state: str = "") -> Look:
    """Give the look of an event: that of the state it led to."""
    topic, _, word = kind.partition(".")
    if topic == "node":
        found = NODE_LOOKS.get(word) or EVENT_LOOKS.get(word)
    else:
        found = TASK_LOOKS.get(state or word) or EVENT_LOOKS.get(word or topic)
    return found or Look("?", word or kind, PLAIN)


# Each glyph that this package draws, and what stands for it where only ASCII can be shown.
ASCII: Final[Mapping[str, str]] = {
    "◷": "~", "○": "o", "▸": ">", "✓": "+", "✗": "x", "⊘": "-", "⧗": "%", "▲": "!", "●": "*", "◐": "/", "·": ".",
    "◌": "?", "…": "~", "─": "-", "│": "|", "━": "=", "■": "#", "□": ".", "↑": "^", "↓": "v",
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "%", "█": "#",
    "░": ".", "▓": "#", "‖": "|", "◀": "<", "▶": ">", "•": "*",
}  # fmt: skip
