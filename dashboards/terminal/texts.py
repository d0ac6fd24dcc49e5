"""Texts that fit: made harmless, cut or padded to so many cells, turned grey, or told in ASCII. Pure.

What people wrote goes through `clean` once, when it becomes part of a line; `exact` looks at each finished line again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from dashboards.terminal.looks import ASCII, CHOSEN, DIM
from moorline.words import one_line, printable

# Joiners, selectors and skin tones: terminals do not agree how wide what they join is. Without them each character has
# one width everywhere.
_UNSTEADY: Final = re.compile(
    "[\u00ad\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)

# Longer than any line: what is behind it would be cut anyway, and cutting is cheaper than cleaning.
_LINE_CHARACTERS_MAX: Final = 4096

# A name is cut in its middle only where both ends keep some characters.
MIDDLE_CELLS_MIN: Final = 8

Part = tuple[str, str]


def clean(text: str) -> str:
    """Make a text from elsewhere one harmless line whose width every terminal agrees on."""
    text = text[:_LINE_CHARACTERS_MAX]
    if text.isascii() and text.isprintable():
        return text
    return _UNSTEADY.sub("", one_line(text))


def clean_lines(text: str) -> list[str]:
    """Make a text from elsewhere harmless lines."""
    return [clean(line.replace("\t", "    ")) for line in text.splitlines()]


def width_of(text: str) -> int:
    """Count the cells that a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, width: int) -> str:
    """Cut a clean text to at most so many cells; what is missing shows as an ellipsis."""
    if width_of(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    return set_cell_size(text, width - 1).rstrip() + "…"


def cut_middle(text: str, width: int) -> str:
    """Cut a clean name to at most so many cells in its middle: names of a fleet begin alike, and differ at the end."""
    if width_of(text) <= width:
        return text
    # Narrower than this neither part tells anything.
    if width < MIDDLE_CELLS_MIN:
        return cut(text, width)
    behind = (width - 1) // 2
    begun = set_cell_size(text, width - 1 - behind).rstrip()
    ended = text[-behind:]
    while width_of(ended) > behind:
        ended = ended[1:]
    return f"{begun}…{ended.lstrip()}"


def padded(text: str, width: int, *, is_right: bool = False, is_name: bool = False) -> str:
    """Cut or pad a clean text to exactly so many cells; a name is cut in its middle."""
    text = cut_middle(text, width) if is_name else cut(text, width)
    space = " " * (width - width_of(text))
    return space + text if is_right else text + space


def wrapped(text: str, width: int, lines_max: int) -> list[str]:
    """Break a clean text at its spaces into lines of at most so many cells; the last line is cut."""
    lines: list[str] = []
    rest = text
    while rest and len(lines) < lines_max - 1 and width_of(rest) > width:
        head = set_cell_size(rest, width)
        place = head.rfind(" ")
        if place < width // 3:
            place = len(head.rstrip()) or 1
        lines.append(rest[:place].rstrip())
        rest = rest[place:].lstrip()
    return [*lines, cut(rest, width)] if rest or not lines else lines


def line(*parts: str | Part) -> Text:
    """Put parts together, each a text or a text with its style."""
    made = Text(no_wrap=True, end="")
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        if text:
            made.append(text, style or None)
    return made


def exact(text: Text, width: int) -> Text:
    """Give a line that is harmless and exactly so wide."""
    if not text.plain.isprintable():
        text = line(clean(printable(text.plain)))
    if text.cell_len > width:
        text = text.copy()
        text.truncate(width, overflow="ellipsis")
    missing = width - text.cell_len
    if missing > 0:
        text = text.copy()
        text.append(" " * missing)
    return text


def rate(per_second: float) -> str:
    """Show a rate; what is rare is told per minute."""
    if per_second == 0:
        return "0/s"
    if per_second < 0.95:
        return f"{per_second * 60:.0f}/min" if per_second >= 1 / 60 else "<1/min"
    return f"{per_second:,.1f}/s" if per_second < 100 else f"{per_second:,.0f}/s"


def spread(left: Text, right: Text, width: int) -> Text:
    """Put one text at the left edge and one at the right; where both do not fit the right one goes."""
    space = width - left.cell_len - right.cell_len
    if space < 1:
        return left
    made = left.copy()
    made.append(" " * space)
    made.append_text(right)
    return made


def beside(left: Iterable[Text], right: Iterable[Text], left_width: int, gap: str = "  ") -> Iterator[Text]:
    """Put two blocks of lines next to each other; the left one is made so wide."""
    lefts, rights = list(left), list(right)
    for number in range(max(len(lefts), len(rights))):
        made = exact(lefts[number] if number < len(lefts) else line(), left_width).copy()
        if number < len(rights):
            made.append(gap)
            made.append_text(rights[number])
        yield made


def grey(text: Text) -> Text:
    """Give the same line without its colours, as something that is no longer so; a chosen row stays to be seen."""
    is_chosen = any(str(span.style) == CHOSEN for span in text.spans)
    return line((text.plain, f"{DIM} {CHOSEN}" if is_chosen else DIM))


def in_ascii(text: Text) -> Text:
    """Give the same line in ASCII, of the same width and with the same styles."""
    if text.plain.isascii():
        return text
    made = Text(no_wrap=True, end="")
    cuts = sorted({0, len(text.plain), *(place for span in text.spans for place in (span.start, span.end))})
    for start, end in pairwise(cuts):
        styles = [str(span.style) for span in text.spans if span.start <= start and end <= span.end]
        made.append("".join(map(_ascii, text.plain[start:end])), " ".join(filter(None, styles)) or None)
    return made


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    return ASCII.get(character) or "?" * cell_len(character)
