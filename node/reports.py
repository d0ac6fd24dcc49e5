"""What handlers say while they run: progress and log lines, bounded, on their way to the session.

Lossy by contract: the latest progress of an attempt wins, and log lines past the bounds are counted and said to be
missing. Handlers never wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from node.decisions.conclusions import clean
from protocol.frames import AttemptKey, Log, LogLine, NodeFrame, Progress
from protocol.limits import LOG_LINE_CHARACTERS_MAX, LOG_LINES_PER_FRAME_MAX, MESSAGE_CHARACTERS_MAX

# Five times a second is as fast as a person can follow a number.
FLUSH_EVERY_S: Final = 0.2

# Lines of all attempts together: what may wait while the hub is away, and what may come in a second.
LINES_MAX: Final = 1_000
LINES_PER_SECOND_MAX: Final = 200

# A `log` frame stays well below the longest frame even if each character takes an escape of six bytes.
LOG_FRAME_BYTES: Final = 200 * 1024
CHARACTER_BYTES_MAX: Final = 6
LINE_BYTES: Final = 400


class Reports:
    """Progress and log lines of the attempts that run.

    Args:
        loop: the session's; ``send`` is called on it.
        send: sends frames if a session is open, and tells whether it did.
        clock: gives monotonic seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[list[NodeFrame]], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._send = send
        self._lock = threading.Lock()
        self._progress: dict[AttemptKey, Progress] = {}
        self._lines: deque[LogLine] = deque()
        self._dropped = 0
        self._allowance = float(LINES_PER_SECOND_MAX)
        self._allowed_s = self._clock()
        self._is_planned = False
        self._flushed_s = -math.inf

    def progress(self, key: AttemptKey, done: float, total: float | None = None, message: str = "") -> None:
        """Note how far an attempt is. What is not a finite number is dropped: JSON has no words for it. Any thread."""
        if not math.isfinite(done) or (total is not None and not math.isfinite(total)):
            return
        text = clean(message, MESSAGE_CHARACTERS_MAX)
        # User code may give any kind of number.
        of = None if total is None else float(total)
        frame = Progress(task_id=key[0], attempt=key[1], done=float(done), total=of, message=text)
        with self._lock:
            self._progress[key] = frame
        self._plan()

    def log(self, key: AttemptKey, level: str, message: str) -> None:
        """Note a line that a handler logged. Any thread."""
        line = LogLine(
            task_id=key[0],
            attempt=key[1],
            at=time.time(),
            level=clean(level, 16),
            message=clean(message, LOG_LINE_CHARACTERS_MAX),
        )
        with self._lock:
            if len(self._lines) < LINES_MAX and self._is_allowed(self._clock()):
                self._lines.append(line)
            else:
                self._dropped += 1
        self._plan()

    def flush(self) -> None:
        """Send what there is, if a session is open. On the session's loop."""
        self._flushed_s = self._clock()
        with self._lock:
            progress, self._progress = list(self._progress.values()), {}
        if progress and not self._send(list(progress)):
            self._put_back(progress)
        self.flush_lines()

    def flush_lines(self) -> None:
        """Send the log lines now, so that they go before the result of their attempt. On the session's loop."""
        if not self._lines and not self._dropped:
            return
        with self._lock:
            lines, self._lines = self._lines, deque()
            dropped, self._dropped = self._dropped, 0
        if not self._send(list(_log_frames(lines, dropped))):
            with self._lock:
                self._lines.extendleft(reversed(lines))
                self._dropped += dropped

    def drop_progress(self, keys: Iterable[AttemptKey]) -> None:
        """Forget the progress of attempts that have ended."""
        if self._progress:
            with self._lock:
                for key in keys:
                    self._progress.pop(key, None)

    def _put_back(self, progress: list[Progress]) -> None:
        with self._lock:
            for frame in progress:
                self._progress.setdefault((frame.task_id, frame.attempt), frame)

    def _is_allowed(self, now_s: float) -> bool:
        """Take one line's worth from what a second allows."""
        gained = (now_s - self._allowed_s) * LINES_PER_SECOND_MAX
        self._allowed_s = now_s
        self._allowance = min(float(LINES_PER_SECOND_MAX), self._allowance + gained)
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _plan(self) -> None:
        if not self._is_planned:
            self._is_planned = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: the node has ended
                self._loop.call_soon_threadsafe(self._plan_flush)

    def _plan_flush(self) -> None:
        wait_s = max(0.0, self._flushed_s + FLUSH_EVERY_S - self._clock())
        self._loop.call_later(wait_s, self._flush_as_planned)

    def _flush_as_planned(self) -> None:
        self._is_planned = False
        self.flush()


def _log_frames(lines: Iterable[LogLine], dropped: int) -> Iterator[Log]:
    """Group lines into frames that keep to the limits; the first says how many lines are missing."""
    group: list[LogLine] = []
    size_bytes = 0
    for line in lines:
        line_bytes = CHARACTER_BYTES_MAX * len(line.message) + LINE_BYTES
        if group and (len(group) >= LOG_LINES_PER_FRAME_MAX or size_bytes + line_bytes > LOG_FRAME_BYTES):
            yield Log(lines=group, dropped=dropped)
            group, size_bytes, dropped = [], 0, 0
        group.append(line)
        size_bytes += line_bytes
    if group or dropped:
        yield Log(lines=group, dropped=dropped)
