"""It as a command: a folder of its own, signals, what goes to stdout and stderr, the exit status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import click
from rich.console import Console

from dashboards.chaos.campaign import Campaign, NodesMissingError
from dashboards.chaos.page import page
from dashboards.chaos.screen import choose_screen, print_report
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stage import Result
from dashboards.chaos.visit import NoNodesError, Visit
from dashboards.installation.command import INTERRUPTED, WorkFolder, one_message
from dashboards.installation.processes import ProcessDiedError, ProcessTooSlowError
from moorline import Client, MoorlineError
from moorline.failures import explain

BROKEN: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An installation that runs already."""

    url: str
    token: str | None
    ca: Path | None
    task_name: str
    payload: Mapping[str, object]
    truth_path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What is wanted of it."""

    as_json: bool
    html: Path | None
    keep: bool


class _Run(Protocol):
    def interrupt(self) -> None: ...


def show(settings: ChaosSettings, target: Target | None, output: Output) -> int:
    """Break things, print what came of it, and give the exit status.

    Raises:
        click.ClickException: it could not be run; in one message why.
    """
    try:
        with one_message(ProcessDiedError, ProcessTooSlowError, NodesMissingError, NoNodesError):
            result = _visit(settings, target) if target is not None else _campaign(settings, output)
    except MoorlineError as error:
        raise explain(error, "" if target is None else target.url) from None
    except asyncio.CancelledError:
        click.echo("interrupted twice; all that was started has been ended", err=True)
        return INTERRUPTED
    if output.html is not None:
        output.html.write_text(page(result), encoding="utf-8")
        click.echo(f"the report is in {output.html}", err=True)
    if output.as_json:
        click.echo(result.report.as_json())
    else:
        print_report(result.report, Console())
    if not result.report.is_clean:
        return BROKEN
    return INTERRUPTED if result.report.was_interrupted else 0


def _campaign(settings: ChaosSettings, output: Output) -> Result:
    with WorkFolder("moorline-chaos-", is_kept=output.keep) as folder:
        with choose_screen(Console(stderr=True), nothing=False) as screen:

            async def run() -> Result:
                campaign = Campaign(settings, folder.path, screen)
                return await _until_signal(campaign, campaign.run())

            result = asyncio.run(run())
        # What went wrong is to be looked at.
        folder.is_kept = folder.is_kept or not result.report.is_clean
        if folder.is_kept:
            _keep(result, folder.path)
        return result


def _keep(result: Result, folder: Path) -> None:
    """Write down what the verdict rests on beside the truth, for whoever searches, or judges again."""
    evidence = result.evidence
    written = {
        "outages": [asdict(outage) for outage in evidence.outages],
        "submitted": [asdict(task) for task in evidence.submitted],
        "told": [asdict(told) for told in evidence.told],
    }
    (folder / "evidence.json").write_text(json.dumps(written), encoding="utf-8")
    (folder / "report.json").write_text(result.report.as_json() + "\n", encoding="utf-8")


def _visit(settings: ChaosSettings, target: Target) -> Result:
    with choose_screen(Console(stderr=True), nothing=False) as screen:

        async def run() -> Result:
            async with Client(target.url, target.token, ca=target.ca) as client:
                visit = Visit(
                    settings,
                    client,
                    task_name=target.task_name,
                    payload=target.payload,
                    truth_path=target.truth_path,
                    screen=screen,
                )
                return await _until_signal(visit, visit.run(_command_without_token()))

        return asyncio.run(run())


async def _until_signal(run: _Run, work: Coroutine[Any, Any, Result]) -> Result:
    """Take the first polite end (Ctrl-C, SIGTERM, a closed terminal) as enough, and the second as at once."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as handled:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, _patience(run, task))
            handled.callback(loop.remove_signal_handler, number)
        return await task


def _patience(run: _Run, task: asyncio.Task[Result]) -> Callable[[], None]:
    signals = iter((run.interrupt,))

    def on_signal() -> None:
        next(signals, task.cancel)()

    return on_signal


def _command_without_token() -> str:
    """Give the command as it was typed, but for what nobody is to see."""
    words = ["moorline", *sys.argv[1:]]
    for number, word in enumerate(words):
        if word == "--token" and number + 1 < len(words):
            words[number + 1] = "…"
        elif word.startswith("--token="):
            words[number] = "--token=…"
    return shlex.join(words)
