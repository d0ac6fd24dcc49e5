"""What all screens have in common: a picture that is drawn over itself, lines with the time of day, or nothing.

All of it goes between enter and exit, and on stderr.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live


class Screen(Protocol):
    """Shows something between enter and exit."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class StillScreen:
    """A screen that needs no setting up."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return


class DrawnScreen:
    """A picture that is drawn over itself.

    Args:
        console: a terminal.
        is_transient: whether the last picture is wiped away at the exit.
    """

    def __init__(self, console: Console, *, is_transient: bool) -> None:
        # Drawn when there is something new, by the loop that knows it: no thread of rich's own.
        self._live = Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False, transient=is_transient
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def draw(self, picture: RenderableType) -> None:
        """Draw this in place of the last one."""
        self._live.update(picture, refresh=True)


class LinesScreen(StillScreen):
    """One line for each thing that happens, with the time of day and the seconds since it began."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, elapsed_s: float, text: str) -> None:
        """Print one line."""
        self._console.out(f"{time.strftime('%H:%M:%S')} {elapsed_s:6.1f} s  {text}", highlight=False)


def can_draw(console: Console) -> bool:
    """Tell whether a picture can be drawn over itself here."""
    return console.is_terminal and not console.is_dumb_terminal
