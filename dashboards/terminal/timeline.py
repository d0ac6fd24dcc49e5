"""The attempts of a task as bars on one axis of time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from dashboards.terminal.looks import DIM, task_look
from dashboards.terminal.snapshot import Attempt
from dashboards.terminal.texts import clean, line, padded, spread, width_of
from moorline.words import clock, duration

NODE_CELLS_MAX: Final = 20
# Narrower than this a bar tells nothing about time; the words stay.
BAR_CELLS_MIN: Final = 10


def timeline(attempts: Sequence[Attempt], submitted_at: float | None, now_at: float, width: int) -> list[Text]:
    """Draw attempts below each other, from the submit to the end of the last one, or to now."""
    begun = [attempt.started_at for attempt in attempts if attempt.started_at is not None]
    if not begun:
        return []
    start_at = min([*begun, *([submitted_at] if submitted_at else [])])
    ends = [attempt.ended_at or now_at for attempt in attempts if attempt.started_at is not None]
    length_s = max(max(ends) - start_at, 0.001)
    node_cells = min(NODE_CELLS_MAX, max(width_of(clean(attempt.node)) for attempt in attempts))
    outcomes = [_outcome(attempt, now_at) for attempt in attempts]
    outcome_cells = max(width_of(text) for text, _ in outcomes)
    room = width - 4 - node_cells - 2 - outcome_cells - 2
    lines = []
    if room >= BAR_CELLS_MIN:
        axis = spread(line((clock(start_at)[:8], DIM)), line((clock(start_at + length_s)[:8], DIM)), room)
        lines.append(line(" " * (4 + node_cells + 2)).append_text(axis))
    for attempt, (outcome, style) in zip(attempts, outcomes, strict=True):
        made = line((f"{attempt.attempt:>3} ", DIM), padded(clean(attempt.node), node_cells, is_name=True), "  ")
        if room >= BAR_CELLS_MIN:
            made.append_text(_bar(attempt, start_at, length_s, now_at, room, style))
            made.append("  ")
        made.append(outcome, style or None)
        lines.append(made)
    return lines


def _bar(attempt: Attempt, start_at: float, length_s: float, now_at: float, room: int, style: str) -> Text:
    if attempt.started_at is None:
        return line(" " * room)
    first = min(room - 1, max(0, int((attempt.started_at - start_at) / length_s * room)))
    last = min(room, max(first + 1, round(((attempt.ended_at or now_at) - start_at) / length_s * room)))
    return line(("·" * first, DIM), ("━" * (last - first), style), ("·" * (room - last), DIM))


def _outcome(attempt: Attempt, now_at: float) -> tuple[str, str]:
    look = task_look(attempt.outcome or "running")
    run_s = attempt.run_s
    if run_s is None and attempt.started_at is not None:
        run_s = max(0.0, (attempt.ended_at or now_at) - attempt.started_at)
    said = [look.text, "" if run_s is None else duration(run_s if attempt.ended_at else int(run_s))]
    if attempt.error is not None and attempt.outcome != "succeeded":
        said.append(clean(attempt.error.type or attempt.error.kind))
    return " ".join(filter(None, said)), look.style
