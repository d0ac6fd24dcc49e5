"""Where the demo is shown: a live picture on a terminal, plain lines elsewhere, or nowhere. All of it on stderr."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Protocol

from rich.console import Console

from dashboards.demo.picture import render
from dashboards.demo.snapshot import Snapshot
from dashboards.installation import screens

# The picture for a page: as wide as a README shows without shrinking, and room for all that happened.
SVG_SIZE = (100, 34)
# Somebody who reads plain lines wants to see that it goes on.
PLAIN_EVERY_S = 5.0


class Screen(screens.Screen, Protocol):
    """Shows snapshots between enter and exit."""

    def show(self, snapshot: Snapshot) -> None:
        """Show this one from now on."""
        ...


class LiveScreen(screens.DrawnScreen):
    """A picture that is drawn over itself; the last one stays."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, is_transient=False)
        self._console = console

    def show(self, snapshot: Snapshot) -> None:
        """Draw it at the terminal's present size."""
        size = self._console.size
        self.draw(render(snapshot, size.width, size.height))


class PlainScreen(screens.LinesScreen):
    """One line for each thing that happens, and a sign of life every few seconds."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._happenings_shown = 0
        self._said_s = 0.0
        self._verdict_shown = False

    def show(self, snapshot: Snapshot) -> None:
        """Print what is new."""
        for happening in snapshot.happenings[self._happenings_shown :]:
            self.say(happening.elapsed_s, happening.text)
        if self._happenings_shown == len(snapshot.happenings) and snapshot.elapsed_s - self._said_s >= PLAIN_EVERY_S:
            self.say(
                snapshot.elapsed_s,
                f"{snapshot.told}/{snapshot.tasks} done, {snapshot.running} running, "
                f"{snapshot.waiting} results on their way",
            )
        self._happenings_shown = len(snapshot.happenings)
        if snapshot.verdict and not self._verdict_shown:
            self._verdict_shown = True
            for text, holds in snapshot.verdict:
                self.say(snapshot.elapsed_s, f"{'well' if holds else 'WRONG'}: {text}")

    def say(self, elapsed_s: float, text: str) -> None:
        """Print one line, which is a sign of life too."""
        self._said_s = elapsed_s
        super().say(elapsed_s, text)


class NoScreen(screens.StillScreen):
    """Shows nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Do nothing."""


def choose_screen(console: Console, *, plain: bool, nothing: bool) -> Screen:
    """Give the screen that fits where the output goes."""
    if nothing:
        return NoScreen()
    return LiveScreen(console) if screens.can_draw(console) and not plain else PlainScreen(console)


def save_svg(snapshot: Snapshot, path: Path) -> None:
    """Save the picture of a snapshot as SVG.

    Raises:
        OSError: the file cannot be written.
    """
    width, height = SVG_SIZE
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    console.print(render(snapshot, width, height))
    picture = console.export_svg(title="moorline demo")
    # rich names a font that a viewer would fetch from elsewhere; the viewer's own monospaced one does.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")
