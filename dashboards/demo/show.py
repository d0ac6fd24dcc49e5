"""The demo as a command: a folder of its own, signals, what goes to stdout and stderr, the exit status."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import click
from rich.console import Console

from dashboards.demo.performance import DemoSettings, perform
from dashboards.demo.report import Report
from dashboards.demo.screen import Screen, choose_screen, save_svg
from dashboards.demo.snapshot import Snapshot
from dashboards.installation.command import INTERRUPTED, WorkFolder, one_message
from dashboards.installation.processes import ProcessDiedError, ProcessTooSlowError
from moorline import MoorlineError


def show(*, tasks: int, seconds_max: float, keep: bool, plain: bool, as_json: bool, svg: Path | None) -> int:
    """Run the demo, print its report as the last line on stdout, and give the exit status.

    Raises:
        click.ClickException: it could not be run to its end; in one message why.
    """
    screen = choose_screen(Console(stderr=True), plain=plain, nothing=as_json)
    settings = DemoSettings(tasks=tasks, seconds_max=seconds_max)
    with WorkFolder("moorline-demo-", is_kept=keep) as folder:
        try:
            report, last = _perform(settings, folder.path, screen)
        except (KeyboardInterrupt, asyncio.CancelledError):
            click.echo("interrupted; all that was started has been ended", err=True)
            return INTERRUPTED
    if svg is not None:
        save_svg(last, svg)
    click.echo(report.as_json())
    return 0 if report.is_well else 1


def _perform(settings: DemoSettings, folder: Path, screen: Screen) -> tuple[Report, Snapshot]:
    """Run the demo; everything that it started has ended afterwards, whatever happened."""
    with one_message(ProcessDiedError, ProcessTooSlowError, MoorlineError), screen:
        return asyncio.run(_perform_until_signal(settings, folder, screen))


async def _perform_until_signal(settings: DemoSettings, folder: Path, screen: Screen) -> tuple[Report, Snapshot]:
    """Take a polite end (SIGTERM, a closed terminal) as Ctrl-C is taken: by cancelling."""
    performance = asyncio.ensure_future(perform(settings, folder, screen))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Not every loop can: then the signal does what it always did.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, performance.cancel)
    return await performance
