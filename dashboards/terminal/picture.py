"""The picture: what was heard and what is looked at in, lines out. Pure, and the same for the same values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from dashboards.terminal.footer import footer
from dashboards.terminal.header import header, verdict_lines
from dashboards.terminal.layout import body_height, settled
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import Help, State, View
from dashboards.terminal.texts import exact, grey, in_ascii, line
from dashboards.terminal.views import events, help, nodes, overview, task, tasks  # noqa: A004  # the page's name

_BODIES: Final = {
    View.OVERVIEW: overview.body,
    View.NODES: nodes.body,
    View.TASKS: tasks.body,
    View.TASK: task.body,
    View.EVENTS: events.body,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines that fill a screen: rich can print it, and the screen draws those that have changed."""

    lines: tuple[Text, ...]

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        for text in self.lines:
            made = text.copy()
            made.end = "\n"
            yield made

    @property
    def plain(self) -> str:
        """The picture as plain text, without spaces at the ends of lines."""
        return "\n".join(text.plain.rstrip() for text in self.lines).rstrip() + "\n"

    def in_ascii(self) -> Picture:
        """Give the same picture in ASCII."""
        return Picture(tuple(map(in_ascii, self.lines)))


def render(snapshot: Snapshot, state: State, width: int, height: int) -> Picture:
    """Draw what was heard, as it is looked at, on a screen of this size.

    Every line is exactly ``width`` cells wide, and there are ``height`` of them. Where the hub is away, the last
    picture of it stays, in grey.
    """
    width, height = max(1, width), max(1, height)
    state = settled(snapshot, state, width, height)
    room = body_height(snapshot, width, height)
    top = header(snapshot, state, width, height)
    if room < 1:
        # So low that only the verdict and the keys are told.
        lines = [*verdict_lines(snapshot, width, 1), footer(snapshot, state, width)][:height]
    else:
        shown = _body(snapshot, state, width, room)[:room]
        shown += [line()] * (room - len(shown))
        lines = [*top, *shown, footer(snapshot, state, width)]
    return Picture(tuple(exact(text, width) for text in lines + [line()] * (height - len(lines))))


def _body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    if isinstance(state.dialog, Help):
        return help.body(state, width, height)
    draw = _BODIES[state.view]
    if snapshot.link.state in {"live", "connecting"}:
        return draw(snapshot, state, width, height)
    # The picture of then: nobody knows what has become of anything since.
    then = replace(snapshot, now_at=snapshot.heard_at or snapshot.now_at)
    return [grey(text) for text in draw(then, state, width, height)]
