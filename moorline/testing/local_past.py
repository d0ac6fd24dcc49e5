"""What attempts there were on a hub in memory, and what went wrong in them, for as long as a test lasts."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from moorline.history_views import Attempt, ErrorGroup
from moorline.views import Problem

# As the real hub: the newest fifty of a task.
ATTEMPTS_MAX: Final = 50

_FRAME: Final = re.compile(r'File "(?:.*/)?([^"/]+)", line (\d+), in (\S+)')
_NUMBERS: Final = re.compile(r"\d+")


class LocalPast:
    """Notes attempts as they begin and end."""

    def __init__(self) -> None:
        self._attempts: dict[str, deque[Attempt]] = {}
        self._groups: dict[str, ErrorGroup] = {}

    def begin(self, task_id: str, number: int, node_id: str, at: float) -> None:
        """Note that an attempt begins."""
        attempts = self._attempts.setdefault(task_id, deque(maxlen=ATTEMPTS_MAX))
        attempts.append(Attempt(attempt=number, node=node_id, started_at=at))

    def end(
        self, task_id: str, name: str, outcome: str, at: float, *, run_s: float | None, problem: Problem | None
    ) -> None:
        """Note how the newest attempt of a task ended; one that has ended stays as it is."""
        attempts = self._attempts.get(task_id)
        if not attempts or attempts[-1].outcome is not None:
            return
        attempts[-1] = msgspec.structs.replace(attempts[-1], outcome=outcome, ended_at=at, run_s=run_s, error=problem)
        if outcome == "failed" and problem is not None:
            self._count(task_id, name, problem, at)

    def attempts(self, task_id: str) -> list[Attempt]:
        """Give the attempts of a task, oldest first."""
        return list(self._attempts.get(task_id, ()))

    def errors(self, limit: int) -> Sequence[ErrorGroup]:
        """Give groups of errors that are alike, last seen first."""
        # The newest is put behind the others each time that it is seen.
        return list(reversed(self._groups.values()))[:limit]

    def _count(self, task_id: str, name: str, problem: Problem, at: float) -> None:
        frames = _FRAME.findall(problem.traceback)
        place = "{}:{} in {}".format(*frames[-1]) if frames else ""
        text = "\0".join((name, problem.kind, problem.type, place))
        group_id = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
        known = self._groups.pop(group_id, None) or ErrorGroup(
            id=group_id,
            name=name,
            kind=problem.kind,
            type=problem.type,
            message=_NUMBERS.sub("#", problem.message),
            place=place,
            first_at=at,
        )
        self._groups[group_id] = msgspec.structs.replace(known, count=known.count + 1, last_at=at, last_task_id=task_id)
