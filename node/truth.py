"""Ground truth for tests and demos: a file that says which handlers really ran.

If the environment variable ``MOORLINE_TRUTH_FILE`` names a file, one JSON line is appended when a handler starts and
one when it ends: ``{"task_id", "attempt", "instance", "node", "event": "start" | "end", "at"}``. It stands outside the
system on purpose: a checker compares it with what clients were told. Otherwise nothing here does anything.

A line is one ``write`` to a descriptor opened with ``O_APPEND``, so that lines of several processes do not mix, and
what is written outlives a ``kill -9``. For a task in a process of its own the parent writes: just before it hands the
task over, and after the process has answered or is dead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Literal

import orjson

from protocol.frames import AttemptKey

VARIABLE = "MOORLINE_TRUTH_FILE"


class Truth:
    """Where the runs of handlers are noted, or nowhere."""

    def __init__(self, node_id: str, instance_id: str, environment: Mapping[str, str] = os.environ) -> None:
        self._node_id = node_id
        self._instance_id = instance_id
        path = environment.get(VARIABLE)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if path else None

    def note(self, key: AttemptKey, event: Literal["start", "end"]) -> None:
        """Note that the handler of an attempt starts, or has ended."""
        if self._file is None:
            return
        line = {
            "task_id": key[0],
            "attempt": key[1],
            "instance": self._instance_id,
            "node": self._node_id,
            "event": event,
            "at": time.time(),
        }
        os.write(self._file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Close the file; twice is harmless, and what is noted later is not."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
