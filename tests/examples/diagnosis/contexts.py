"""Contexts as a node would hand them to a handler, with a notebook for what the handler said."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from moorline import Context


@dataclass
class Notebook:
    """What a handler reported, and whether it has been told to stop."""

    progress: list[tuple[float, float | None, str]] = field(default_factory=list)
    cancelled: bool = False


def make_context(notebook: Notebook | None = None, timeout_s: float | None = None) -> Context:
    notes = notebook or Notebook()
    return Context(
        task_id="t1",
        attempt=1,
        name="diagnosis.test",
        node_id="n1",
        instance_id="i1",
        deadline_s=None if timeout_s is None else time.monotonic() + timeout_s,
        on_progress=lambda done, total, message: notes.progress.append((done, total, message)),
        on_log=lambda level, message: None,
        is_cancelled=lambda: notes.cancelled,
    )
