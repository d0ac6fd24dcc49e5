"""The ground truth, as values: a node appends one line at the start and one at the end of each run of a handler.

It stands outside the system. All times are wall-clock seconds of one machine.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Event: TypeAlias = Literal["start", "end"]

# Lines are whole, and a node's own are a few hundred characters: nothing near this is honest.
LINE_CHARACTERS_MAX: Final = 4096


class BadTruthLineError(ValueError):
    """A line of the truth file is not what a node writes; keep count of them, they spoil the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthLine:
    """One line of the truth file."""

    task_id: str
    attempt: int
    instance: str
    node: str
    event: Event
    at: float


@dataclass(slots=True, kw_only=True)
class Run:
    """One start, and its end if it came to one."""

    start: TruthLine
    end: TruthLine | None = None

    def __str__(self) -> str:
        return f"attempt {self.start.attempt} on {self.start.node} ({self.start.instance})"


def parse_truth_line(line: str) -> TruthLine:
    """Read one line of the truth file.

    Raises:
        BadTruthLineError: it is not such a line.
    """
    try:
        if len(line) > LINE_CHARACTERS_MAX:
            raise ValueError("it is too long")
        found = json.loads(line)
        event = found["event"]
        if event not in {"start", "end"}:
            raise ValueError(f"event is {event!r}")
        return TruthLine(
            task_id=str(found["task_id"]),
            attempt=int(found["attempt"]),
            instance=str(found["instance"]),
            node=str(found["node"]),
            event=event,
            at=float(found["at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadTruthLineError(f"a line of the truth file makes no sense ({error!r}): {line[:200]!r}") from None


def runs_by_task(truth: Iterable[TruthLine]) -> tuple[dict[str, list[Run]], list[TruthLine]]:
    """Pair starts with ends, in the order of their times; give the ends that have no start too."""
    runs: dict[str, list[Run]] = defaultdict(list)
    homeless: list[TruthLine] = []
    for line in sorted(truth, key=lambda line: line.at):
        if line.event == "start":
            runs[line.task_id].append(Run(start=line))
            continue
        for run in runs.get(line.task_id, ()):
            if run.end is None and (run.start.attempt, run.start.instance) == (line.attempt, line.instance):
                run.end = line
                break
        else:
            homeless.append(line)
    return dict(runs), homeless
