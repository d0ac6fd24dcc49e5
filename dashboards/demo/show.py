"""The demo as a command: a folder of its own, signals, what goes to stdout and stderr, the exit status."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import tempfile
from pathlib import Path

import click
from rich.console import Console

from dashboards.demo.performance import DemoSettings, perform
from dashboards.demo.processes import ProcessDiedError, ProcessTooSlowError
from dashboards.demo.report import Report
from dashboards.demo.screen import Screen, choose_screen, save_svg
from dashboards.demo.snapshot import Snapshot
from moorline import MoorlineError

# As shells say it: 128 and the number of SIGINT.
INTERRUPTED = 130

_EXPECTED = (ProcessDiedError, ProcessTooSlowError, MoorlineError)


def show(*, tasks: int, seconds_max: float, keep: bool, plain: bool, as_json: bool, svg: Path | None) -> int:
    """Run the demo, print its report as the last line on stdout, and give the exit status.

    Raises:
        click.ClickException: it could not be run to its end; in one message why.
    """
    screen = choose_screen(Console(stderr=True), plain=plain, nothing=as_json)
    settings = DemoSettings(tasks=tasks, seconds_max=seconds_max)
    folder = Path(tempfile.mkdtemp(prefix="moorline-demo-"))
    try:
        report, last = _perform(settings, folder, screen)
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("interrupted; all that was started has been ended", err=True)
        return INTERRUPTED
    finally:
        if keep:
            click.echo(f"state, logs and the truth are kept in {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if svg is not None:
        save_svg(last, svg)
    click.echo(report.as_json())
    return 0 if report.is_well else 1


def _perform(settings: DemoSettings, folder: Path, screen: Screen) -> tuple[Report, Snapshot]:
    """Run the demo; everything that it started has ended afterwards, whatever happened."""
    try:
        with screen:
            return asyncio.run(_perform_until_signal(settings, folder, screen))
    except _EXPECTED as error:
        raise click.ClickException(str(error)) from None
    except ExceptionGroup as group:
        expected, others = group.split(_EXPECTED)
        if expected is None or others is not None:
            raise
        raise click.ClickException(str(_first(expected))) from None


async def _perform_until_signal(settings: DemoSettings, folder: Path, screen: Screen) -> tuple[Report, Snapshot]:
    """Take a polite end (SIGTERM, a closed terminal) as Ctrl-C is taken: by cancelling."""
    performance = asyncio.ensure_future(perform(settings, folder, screen))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Not every loop can: then the signal does what it always did.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, performance.cancel)
    return await performance


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
