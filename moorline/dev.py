"""``moorline dev``: a hub and nodes as processes of one command, to develop against.

They are the real thing, started as anybody would start them; killing one by hand is a good experiment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from moorline.dying_together import end_with_parent
from moorline.failures import ExitCode

# A hub opens its store and listens within two seconds even with a million tasks; a loaded machine takes its time.
READY_WITHIN_S: Final = 60.0

# After being asked to end: what runs on a node is finished, within reason. What is still there is killed.
NODES_END_WITHIN_S: Final = 15.0
HUB_ENDS_WITHIN_S: Final = 10.0

# A longer line is cut in two; one without an end must not fill the memory.
LINE_BYTES_MAX: Final = 64 * 1024

NODES_MAX: Final = 64
COLOURS: Final = ("cyan", "green", "magenta", "blue", "yellow")

# What they say goes through a pipe, and a person reads it all the same.
LOGS_FOR_PEOPLE: Final = ("--log-format", "human")

READY: Final = re.compile(r"hub ready: nodes (?P<nodes>\S+) http (?P<http>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be started. ``program`` is the command before the subcommand."""

    program: Sequence[str]
    nodes: int
    apps: Sequence[str]
    slots: int | None
    node_port: int
    http_port: int
    folder: Path

    def hub_command(self) -> list[str]:
        """Give the hub's command line."""
        ports = ("--node-port", str(self.node_port), "--http-port", str(self.http_port))
        return [*self.program, "hub", *ports, "--state", str(self.folder / "hub"), *LOGS_FOR_PEOPLE]

    def node_command(self, number: int, hub_address: str) -> list[str]:
        """Give the command line of the ``number``-th node."""
        name = f"dev-{number}"
        state = ("--state", str(self.folder / name))
        command = [*self.program, "node", "--hub", hub_address, "--node-id", name, *state, *LOGS_FOR_PEOPLE]
        for app in self.apps:
            command += ["--app", app]
        if self.slots is not None:
            command += ["--slots", str(self.slots)]
        return command


class Child:
    """One process; `ended` is done when it is gone and all that it said is shown."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self.name = name
        self._process = process
        self.ended = asyncio.create_task(self._follow(on_line))

    @classmethod
    async def start(cls, name: str, command: Sequence[str], on_line: Callable[[str], None]) -> Child:
        """Start it. It gets a session of its own, so that Ctrl-C reaches this command alone."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )
        return cls(name, process, on_line)

    async def _follow(self, on_line: Callable[[str], None]) -> int:
        stream = self._process.stdout
        if stream is None:
            raise AssertionError("stdout was asked for as a pipe")
        async for line in _lines(stream):
            on_line(line)
        return await self._process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    rest = b""
    while chunk := await stream.read(LINE_BYTES_MAX):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


class Supervisor:
    """Starts what the plan says, shows what it says, and ends it in order: nodes first, so that their last results
    still find the hub.
    """

    def __init__(self, plan: Plan, show: Callable[[str, str], None]) -> None:
        self._plan = plan
        self._show = show
        self._children: list[Child] = []
        self._ready: asyncio.Future[re.Match[str]] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()

    async def run(self) -> ExitCode:
        """Run until SIGINT or SIGTERM (then OK), or until no node could start or nothing runs any more (then
        FAILED).
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopped)
        try:
            is_up = await self._start()
            if is_up:
                await self._watch()
            return ExitCode.OK if self._stop.is_set() else ExitCode.FAILED
        finally:
            await self._end(self._children[1:], NODES_END_WITHIN_S)
            await self._end(self._children[:1], HUB_ENDS_WITHIN_S)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stopped(self) -> None:
        """Begin to end; asked a second time, kill what has not ended yet."""
        if self._stop.is_set():
            for child in self._children:
                child.signal(signal.SIGKILL)
        else:
            self._tell("dev", f"ending: nodes finish what they run, {NODES_END_WITHIN_S:.0f} s at most; again: now")
        self._stop.set()

    async def _start(self) -> bool:
        hub = await self._add("hub", self._plan.hub_command())
        stopped = asyncio.create_task(self._stop.wait())
        waiting: set[asyncio.Future[Any]] = {self._ready, hub.ended, stopped}
        try:
            await asyncio.wait(waiting, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if not self._ready.done():
            if not self._stop.is_set():
                self._tell("dev", _report(hub) or f"the hub was not ready within {READY_WITHIN_S:.0f} s")
            return False
        found = self._ready.result()
        for number in range(1, self._plan.nodes + 1):
            await self._add(f"dev-{number}", self._plan.node_command(number, found["nodes"]))
        self._tell("dev", f"hub at {found['http']}, {self._plan.nodes} nodes; Ctrl-C ends all of them")
        return True

    async def _add(self, name: str, command: Sequence[str]) -> Child:
        child = await Child.start(name, command, partial(self._line, name))
        self._children.append(child)
        return child

    def _line(self, name: str, line: str) -> None:
        if name == "hub" and not self._ready.done() and (found := READY.search(line)):
            self._ready.set_result(found)
        self._tell(name, line)

    def _tell(self, name: str, line: str) -> None:
        try:
            self._show(name, line)
        except BrokenPipeError:
            # Nobody looks any more. What was started is ended all the same.
            self._stop.set()

    async def _watch(self) -> None:
        """Report each child that ends, until told to stop or none is left."""
        stopped = asyncio.create_task(self._stop.wait())
        alive = list(self._children)
        try:
            while alive and not self._stop.is_set():
                await asyncio.wait([stopped, *(child.ended for child in alive)], return_when=asyncio.FIRST_COMPLETED)
                if self._stop.is_set():
                    return
                for child in [child for child in alive if child.ended.done()]:
                    alive.remove(child)
                    self._tell("dev", f"{_report(child)}; the others go on" if alive else _report(child))
                if self._no_node_could_start():
                    self._tell("dev", "no node could start: mend what they say above, and start again")
                    return
        finally:
            stopped.cancel()

    def _no_node_could_start(self) -> bool:
        """Tell whether all nodes have refused their settings or apps: a hub alone would hide it from who typed them."""
        nodes = self._children[1:]
        return bool(nodes) and all(node.ended.done() and node.ended.result() == ExitCode.USAGE for node in nodes)

    async def _end(self, children: Sequence[Child], within_s: float) -> None:
        for number, patience_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, within_s)):
            alive = [child for child in children if not child.ended.done()]
            if not alive:
                return
            for child in alive:
                if number is signal.SIGKILL:
                    self._tell("dev", f"{child.name} has not ended within {within_s:.0f} s and is killed")
                child.signal(number)
            await asyncio.wait([child.ended for child in alive], timeout=patience_s)


def _report(child: Child) -> str:
    """Say how a child ended; nothing if it runs."""
    if not child.ended.done():
        return ""
    return describe_end(child.name, child.ended.result())


def describe_end(name: str, status: int) -> str:
    """Say how a process ended, by its status as `subprocess` gives it."""
    if status >= 0:
        return f"{name} ended with status {status}"
    try:
        word = signal.Signals(-status).name
    except ValueError:
        word = f"signal {-status}"
    return f"{name} was ended by {word}"


def show_line(width: int, name: str, line: str) -> None:
    """Print a line behind the name of who said it, in a colour of its own where there are colours."""
    colour = COLOURS[sum(name.encode()) % len(COLOURS)]
    style = {"bold": True} if name == "dev" else {"fg": colour}
    click.echo(f"{click.style(name.ljust(width), **style)} │ {line.rstrip()}", color=_wants_colour())


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


@click.command()
@click.option(
    "--nodes", type=click.IntRange(0, NODES_MAX), metavar="N", default=2, show_default=True, help="How many nodes."
)
@click.option("--app", "apps", multiple=True, metavar="MODULE|FILE.py", help="Where tasks are. Repeatable.")
@click.option("--slots", type=click.IntRange(1, 4096), metavar="N", help="How many tasks a node runs at once.")
@click.option("--node-port", metavar="PORT", type=int, default=8765, show_default=True, help="The hub's, for nodes.")
@click.option("--http-port", metavar="PORT", type=int, default=8780, show_default=True, help="The hub's, for clients.")
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".moorline/dev"),
    show_default=True,
    help="Where all of them keep their state.",
)
@click.pass_context
def dev(
    ctx: click.Context,
    *,
    nodes: int,
    apps: tuple[str, ...],
    slots: int | None,
    node_port: int,
    http_port: int,
    folder: Path,
) -> None:
    """Run a hub and nodes together, to develop against.

    Ctrl-C ends them in order, nodes first. Port 0 lets the system pick. All other settings of hub and nodes come from
    variables and moorline.toml.

    \b
      moorline dev --app tasks.py
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    config_path = ctx.find_root().params.get("config_path")
    config = ("--config", str(config_path)) if config_path is not None else ()
    plan = Plan(
        program=(sys.executable, "-m", "moorline.cli", *config),
        nodes=nodes,
        apps=apps,
        slots=slots,
        node_port=node_port,
        http_port=http_port,
        folder=folder,
    )
    width = len(f"dev-{nodes}")
    raise click.exceptions.Exit(asyncio.run(_run(plan, partial(show_line, width))))


async def _run(plan: Plan, show: Callable[[str, str], None]) -> ExitCode:
    return await Supervisor(plan, show).run()
