"""What happens, the newest on top."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rich.text import Text

from dashboards.terminal.columns import NARROW, Column
from dashboards.terminal.looks import DIM, PLAIN, STRONG, event_look
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.state import State
from dashboards.terminal.texts import Part, clean
from dashboards.terminal.views.table import table
from moorline.views import Event
from moorline.words import clock

COLUMNS: Final = (
    Column(title="TIME (UTC)", rank=1, width=12),
    Column(title="EVENT", width=13),
    Column(title="WHAT", rank=0, width=8, width_max=64, is_name=True),
    Column(title="NODE", rank=3, width=10, width_max=40, is_name=True),
    Column(title="MORE", rank=2, width=4, width_max=120, share=3),
    Column(title="TASK", rank=4, width=26, width_max=40),
)
# Where each cell counts, seconds are enough.
_SECONDS_CELLS: Final = len("17:46:40")
_COLUMNS_NARROW: Final = (replace(COLUMNS[0], title="UTC", width=_SECONDS_CELLS), *COLUMNS[1:])


def body(snapshot: Snapshot, state: State, width: int, height: int) -> list[Text]:
    """Give the lines of the view."""
    is_hub_here = snapshot.link.state in {"live", "connecting"}
    listing = snapshot.events
    if not is_hub_here and not listing.rows:
        # Nobody knows whether anything has happened.
        listing = replace(listing, is_read=False)
    return table(
        "events",
        listing,
        state.events,
        order="newest first",
        columns=COLUMNS if width >= NARROW else _COLUMNS_NARROW,
        cells_of=_cells if width >= NARROW else _cells_narrow,
        about=lambda event, _titles: _about(event),
        empty="Nothing has happened since this view was opened.",
        width=width,
        height=height,
        is_hub_here=is_hub_here,
    )


def _about(event: Event) -> list[Part]:
    """Say what the columns had no room for."""
    return [(clean(event.kind), STRONG), (clean(event.task_id), PLAIN), (clean(event.name), PLAIN),
            (f"on {clean(event.node_id)}" if event.node_id else "", PLAIN), (clean(_more(event)), PLAIN)]  # fmt: skip


def _cells_narrow(event: Event) -> list[Part]:
    (time, style), *others = _cells(event)
    return [(time[:_SECONDS_CELLS], style), *others]


def _cells(event: Event) -> list[Part]:
    look = event_look(event.kind, event.state)
    topic = event.kind.partition(".")[0]
    subject = event.name or (event.node_id if topic == "node" else topic)
    return [
        (clock(event.at), DIM),
        (look.text, look.style),
        (clean(subject), PLAIN),
        (clean(event.node_id) if topic != "node" else "", PLAIN),
        (clean(_more(event)), DIM),
        (clean(event.task_id), DIM),
    ]


def _more(event: Event) -> str:
    said: list[str] = []
    if event.kind == "reset":
        return "events were missed that the hub no longer keeps"
    if event.task_id and event.attempt > 1:
        said.append(f"attempt {event.attempt}")
    if event.kind == "task.progress" and event.done is not None:
        said.append(f"{event.done:g}" if event.total is None else f"{event.done:g} of {event.total:g}")
    said += [event.level, event.message, event.reason]
    if event.error is not None:
        said.append(": ".join(filter(None, [event.error.type or event.error.kind, event.error.message])))
    return "  ".join(filter(None, said))
