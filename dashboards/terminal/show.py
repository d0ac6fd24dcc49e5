"""What `moorline top` does: the dashboard on a terminal, or one picture of now as text, JSON or SVG."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from dashboards.terminal.acting import Actor
from dashboards.terminal.look import look_of
from dashboards.terminal.picture import Picture, render
from dashboards.terminal.screen import Screen
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.source import Source
from dashboards.terminal.state import State, View
from dashboards.terminal.top import Top
from dashboards.terminal.tty import Terminal
from moorline.client import Client
from moorline.configuration import ClientSettings
from moorline.errors import MoorlineError
from moorline.failures import CommandError, ExitCode, explain
from moorline.presentation import print_document

# A hub answers within milliseconds; one that takes longer than this is as good as away, and is tried again.
REQUEST_WITHIN_S: Final = 5.0
# As wide as a page shows without shrinking, and as high as the fleet of a page needs.
STILL_SIZE: Final = (120, 40)


def is_interactive() -> bool:
    """Tell whether somebody looks at stdout and types at stdin, on a terminal that can do more than print."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def wants_ascii() -> bool:
    """Tell whether stdout can show nothing but ASCII."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "").replace("_", "")
    return not encoding.startswith("utf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for on the command line. ``hub_process``: the hub in whose terminal this is shown."""

    view: int = 1
    filter: str = ""
    task_id: str = ""
    is_ascii: bool = False
    as_json: bool = False
    svg: Path | None = None
    size: tuple[int, int] | None = None
    hub_process: int | None = None

    @property
    def state(self) -> State:
        """What is looked at in the beginning."""
        begun = State(view=View(self.view), task_id=self.task_id, is_beside_hub=self.hub_process is not None)
        return begun.with_filter(self.filter) if self.filter else begun


def show(settings: ClientSettings, wish: Wish) -> ExitCode:
    """Show what is wished, and give the status to end with.

    Raises:
        CommandError: the hub cannot be reached or refuses, or a file cannot be written.
    """
    try:
        return asyncio.run(_show(settings, wish))
    except MoorlineError as error:
        raise explain(error, settings.url) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{where}{error.strerror or error}", remedy="Check the path.") from error


async def _show(settings: ClientSettings, wish: Wish) -> ExitCode:
    is_ascii = wish.is_ascii or wants_ascii()
    async with Client(
        settings.url, settings.token, ca=settings.ca, request_timeout_s=REQUEST_WITHIN_S, submit_timeout_s=0.0
    ) as client:
        if is_interactive() and not (wish.as_json or wish.svg):
            return await _watch(client, settings.url, wish, is_ascii=is_ascii)
        width, height = wish.size or still_size()
        source = Source(client, settings.url)
        # A document holds what the overview shows, whatever else is looked at.
        state = State() if wish.as_json else wish.state
        await source.read_once(look_of(source.snapshot(), state, height))
        snapshot = source.snapshot()
    if wish.svg is not None:
        save_svg(render(snapshot, wish.state, width, height), wish.svg, width, height)
    if wish.as_json:
        print_document(document(snapshot))
    elif wish.svg is None:
        click.echo(as_text(render(snapshot, wish.state, width, height), is_ascii=is_ascii))
    return ExitCode.OK


async def _watch(client: Client, url: str, wish: Wish, *, is_ascii: bool) -> ExitCode:
    if wish.hub_process is not None:
        # Ctrl-C is meant for the hub, which then ends this, too.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    terminal = Terminal(sys.stdin.fileno(), sys.stdout.fileno())
    source = Source(client, url)
    top = Top(
        terminal=terminal,
        screen=Screen(terminal.write, has_colours=not os.environ.get("NO_COLOR"), is_ascii=is_ascii),
        source=source,
        actor=Actor(client, source),
        state=wish.state,
        parent=wish.hub_process,
    )
    await top.run()
    return ExitCode.INTERRUPTED if top.signal_number == signal.SIGINT else ExitCode.OK


def still_size() -> tuple[int, int]:
    """Give the size of a picture of now: that of the terminal, if there is one, without the line of the cursor."""
    if sys.stdout.isatty():
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        if columns and lines > 1:
            return columns, lines - 1
    return STILL_SIZE


def as_text(picture: Picture, *, is_ascii: bool) -> str:
    """Give the picture as plain text, without the keys that nobody can press there."""
    shown = Picture(picture.lines[:-1])
    return (shown.in_ascii() if is_ascii else shown).plain.rstrip("\n")


def document(snapshot: Snapshot) -> dict[str, object]:
    """Give all that was read as one document."""
    return {
        "url": snapshot.url,
        "at": snapshot.now_at,
        "stats": snapshot.stats,
        "alerts": [alert._asdict() for alert in snapshot.alerts],
        "errors": [group._asdict() for group in snapshot.errors],
        "nodes": [node._asdict() for node in snapshot.map],
        "trends": {"step_s": snapshot.trends.step_s, **snapshot.trends.columns},
    }


def save_svg(picture: Picture, path: Path, width: int, height: int) -> None:
    """Save a picture as SVG.

    Raises:
        OSError: the file cannot be written.
    """
    console = Console(
        record=True, width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    console.print(picture)
    drawn = console.export_svg(title="moorline top")
    # rich names a font that a viewer would fetch from elsewhere; the viewer's own monospaced one does.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")
