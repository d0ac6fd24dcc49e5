"""Where it is shown as it goes on: a live picture on a terminal, plain lines elsewhere, or nowhere. All on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dashboards.chaos.ledger import Happening
from dashboards.chaos.report import Report, rows
from dashboards.installation import screens

# Somebody who reads plain lines wants to see that it goes on.
PLAIN_EVERY_S: Final = 10.0
PROBLEMS_SHOWN_MAX: Final = 10

_STATE_STYLES: Final = {"online": "green", "unreachable": "yellow", "dead": "red", "paused": "magenta"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be seen at one moment."""

    elapsed_s: float
    seconds: float
    phase: str
    hub: str
    nodes: Mapping[str, str]
    """By id: `online`, `unreachable`, `paused`, `dead`, `starting`."""
    tried: int
    accepted: int
    open: int
    outcomes: Mapping[str, int]
    runs_ended: int
    faults: int
    happenings: Sequence[Happening]


class Screen(screens.Screen, Protocol):
    """Shows looks between enter and exit."""

    def show(self, look: Look, happened: Sequence[Happening]) -> None:
        """Show this from now on; ``happened`` is what is new since the last time."""
        ...


class LiveScreen(screens.DrawnScreen):
    """A picture that is drawn over itself, and makes room for the report."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, is_transient=True)

    def show(self, look: Look, happened: Sequence[Happening]) -> None:  # noqa: ARG002  # the look has the last ones
        """Draw it."""
        self.draw(render(look))


class PlainScreen(screens.LinesScreen):
    """A line for each thing that happens, and a sign of life every few seconds."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._said_s = float("-inf")

    def show(self, look: Look, happened: Sequence[Happening]) -> None:
        """Print what is new."""
        for happening in happened:
            self.say(happening.elapsed_s, happening.text)
        if look.elapsed_s - self._said_s >= PLAIN_EVERY_S:
            self._said_s = look.elapsed_s
            self.say(look.elapsed_s, _counters(look))


class NoScreen(screens.StillScreen):
    """Shows nothing."""

    def show(self, look: Look, happened: Sequence[Happening]) -> None:
        """Do nothing."""


def choose_screen(console: Console, *, nothing: bool) -> Screen:
    """Give the screen that fits where the output goes."""
    if nothing:
        return NoScreen()
    return LiveScreen(console) if screens.can_draw(console) else PlainScreen(console)


def render(look: Look) -> RenderableType:
    """Draw one look."""
    title = Text.assemble(
        ("moorline chaos  ", "bold"),
        f"{look.elapsed_s:.0f} of {look.seconds:.0f} s  ",
        (look.phase, "italic"),
    )
    fleet = Text.assemble(("hub ", "bold"), (look.hub, _STATE_STYLES.get(look.hub, "")), "   nodes ")
    for node_id, state in look.nodes.items():
        fleet.append("● ", style=_STATE_STYLES.get(state, "dim"))
        if state not in {"online", "starting"}:
            fleet.append(f"{node_id.removeprefix('node-')} {state}  ", style=_STATE_STYLES.get(state, "dim"))
    recent = Table.grid(padding=(0, 2))
    for happening in look.happenings:
        style = "red" if happening.is_bad else "green"
        recent.add_row(f"{happening.elapsed_s:6.1f} s", Text(happening.text, style=style))
    return Group(title, fleet, Text(_counters(look)), Text(), recent)


def print_report(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for what, text, is_well in rows(report):
        table.add_row(what, Text(text, style="" if is_well else "bold red"))
    console.print(table)
    for problem in report.problems[:PROBLEMS_SHOWN_MAX]:
        console.print(Text(problem, style="red"))
    if len(report.problems) > PROBLEMS_SHOWN_MAX:
        console.print(Text(f"and {len(report.problems) - PROBLEMS_SHOWN_MAX} more", style="red"))
    words = "nothing was lost, nothing ran twice" if report.is_clean else "an invariant broke"
    console.print(Text(words, style="bold green" if report.is_clean else "bold red"))


def _counters(look: Look) -> str:
    done = ", ".join(f"{name} {count}" for name, count in sorted(look.outcomes.items())) or "none yet"
    return (
        f"{look.accepted} accepted, {look.open} open, {look.runs_ended} runs ended; outcomes: {done}; "
        f"{look.faults} faults"
    )
