"""Where the demo is shown: a live picture on a terminal, plain lines elsewhere, or nowhere. All of it on stderr."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from dashboards.demo.picture import render
from dashboards.demo.snapshot import Snapshot

# The picture for a page: as wide as a README shows without shrinking, and room for all that happened.
SVG_SIZE = (100, 34)
# Somebody who reads plain lines wants to see that it goes on.
PLAIN_EVERY_S = 5.0


class Screen(Protocol):
    """Shows snapshots between enter and exit."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show this one from now on."""
        ...


class LiveScreen:
    """A picture that is drawn over itself; the last one stays."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # Drawn when there is something new, by the loop that knows it: no thread of rich's own.
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it at the terminal's present size."""
        size = self._console.size
        self._live.update(render(snapshot, size.width, size.height), refresh=True)


class PlainScreen:
    """One line for each thing that happens, with the time of day, and a sign of life every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._happenings_shown = 0
        self._said_s = 0.0
        self._verdict_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def show(self, snapshot: Snapshot) -> None:
        """Print what is new."""
        for happening in snapshot.happenings[self._happenings_shown :]:
            self._say(happening.text, happening.elapsed_s)
        if self._happenings_shown == len(snapshot.happenings) and snapshot.elapsed_s - self._said_s >= PLAIN_EVERY_S:
            self._say(
                f"{snapshot.told}/{snapshot.tasks} done, {snapshot.running} running, "
                f"{snapshot.waiting} results on their way",
                snapshot.elapsed_s,
            )
        self._happenings_shown = len(snapshot.happenings)
        if snapshot.verdict and not self._verdict_shown:
            self._verdict_shown = True
            for text, holds in snapshot.verdict:
                self._say(f"{'well' if holds else 'WRONG'}: {text}", snapshot.elapsed_s)

    def _say(self, text: str, elapsed_s: float) -> None:
        self._said_s = elapsed_s
        self._console.out(f"{time.strftime('%H:%M:%S')} {elapsed_s:5.1f} s  {text}", highlight=False)


class NoScreen:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def show(self, snapshot: Snapshot) -> None:
        """Do nothing."""


def choose_screen(console: Console, *, plain: bool, nothing: bool) -> Screen:
    """Give the screen that fits where the output goes."""
    if nothing:
        return NoScreen()
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return PlainScreen(console)
    return LiveScreen(console)


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
