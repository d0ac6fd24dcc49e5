"""Draws pictures on a terminal: only the lines that have changed, in one write that the terminal shows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.color import ColorSystem
from rich.console import Console
from rich.text import Text

from dashboards.terminal.picture import Picture

# Synchronized output (DEC mode 2026): a terminal that knows it shows the whole frame at once; others ignore it.
_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"
_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"
_CLEAR: Final = "\x1b[0m\x1b[2J"


class Screen:
    """One screen and what it shows.

    Args:
        write: takes what is to be written, as a whole.
        has_colours: without them bold, dim and reverse stay.
        is_ascii: whether everything is told in ASCII.
    """

    def __init__(self, write: Callable[[str], None], *, has_colours: bool = True, is_ascii: bool = False) -> None:
        self._write = write
        self._has_colours = has_colours
        self._is_ascii = is_ascii
        self._shown: tuple[Text, ...] = ()
        self._cursor: tuple[int, int] | None = None
        # Only its table of styles is used; nothing is printed through it.
        self._console = Console(color_system="standard", force_terminal=True, legacy_windows=False)

    def draw(self, picture: Picture, cursor: tuple[int, int] | None = None) -> bool:
        """Show a picture; tell whether anything had to be written.

        Args:
            picture: as wide and high as the screen.
            cursor: row and column, from 0, where the cursor is to be seen; None: nowhere.
        """
        lines = (picture.in_ascii() if self._is_ascii else picture).lines
        changed = [
            number for number, text in enumerate(lines) if len(lines) != len(self._shown) or text != self._shown[number]
        ]
        if not changed and cursor == self._cursor:
            return False
        parts = [_BEGIN, _HIDE_CURSOR]
        if len(lines) != len(self._shown):
            parts.append(_CLEAR)
        parts += [f"\x1b[{number + 1};1H{self.escaped(lines[number])}" for number in changed]
        if cursor is not None:
            parts.append(f"\x1b[{cursor[0] + 1};{cursor[1] + 1}H{_SHOW_CURSOR}")
        self._write("".join([*parts, _END]))
        self._shown, self._cursor = lines, cursor
        return True

    def forget(self) -> None:
        """Take for granted that the screen shows something else: the next picture is drawn in whole."""
        self._shown = ()

    def escaped(self, text: Text) -> str:
        """Give a line with the escape codes of its styles."""
        made = []
        for segment in text.render(self._console):
            style = segment.style
            if style is not None and not self._has_colours:
                style = style.without_color
            made.append(
                style.render(segment.text, color_system=ColorSystem.STANDARD, legacy_windows=False)
                if style
                else segment.text
            )
        return "".join(made)
