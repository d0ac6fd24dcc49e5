"""A bar that shows how many of many tasks are done, on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def progress_bar(
    what: str, total: int | None, *, is_shown: bool = True, console: Console | None = None
) -> Iterator[Callable[[], None]]:
    """Show a bar while the context lasts; what it gives is called once for each that is done.

    Args:
        what: the words before the bar.
        total: how many there will be; None if that is not known.
        is_shown: without it nothing is shown, and nothing imported.
        console: where; stderr if it is left out.
    """
    if not is_shown:
        yield lambda: None
        return
    # Loading rich takes longer than a submit; only who wants a bar pays for it.
    from rich.console import Console as RichConsole  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console or RichConsole(stderr=True),
    )
    with bar:
        line = bar.add_task(what, total=total)
        yield lambda: bar.advance(line)
