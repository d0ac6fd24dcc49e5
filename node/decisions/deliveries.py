"""Results in the outbox that no hub has acknowledged: in what order, and how many at once, they are sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from node.decisions.effects import Finished
from protocol.frames import AttemptKey, Result, TaskError

# What may be sent and not yet acked. A hub commits this in a blink; if it cannot, more would only fill its memory.
IN_FLIGHT_BYTES_MAX: Final = 4 * 1024 * 1024

# What stands around a value in its frame, roughly; it makes a thousand empty results count for something.
FRAME_BYTES: Final = 200


class Deliveries:
    """Results that wait for an ack, oldest first. Bounded by the slots: a hub pushes no more while they are full."""

    def __init__(self, results: Iterable[Finished] = ()) -> None:
        self._results = {finished.key: finished for finished in results}
        self._unsent: deque[AttemptKey] = deque(self._results)
        self._in_flight: dict[AttemptKey, int] = {}
        self._in_flight_bytes = 0

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, key: AttemptKey) -> bool:
        return key in self._results

    @property
    def keys(self) -> list[AttemptKey]:
        """All of them, in the order in which they were stored."""
        return list(self._results)

    def add(self, finished: Finished) -> None:
        """Take a result that is stored now."""
        self._results[finished.key] = finished
        self._unsent.append(finished.key)

    def forget(self, keys: Iterable[AttemptKey]) -> list[AttemptKey]:
        """Drop results that are settled; gives those that were here, twice is harmless."""
        known = [key for key in keys if self._results.pop(key, None) is not None]
        for key in known:
            self._in_flight_bytes -= self._in_flight.pop(key, 0)
        return known

    def begin_again(self) -> None:
        """Begin a new connection: what was sent on the last one proves nothing."""
        self._unsent = deque(self._results)
        self._in_flight.clear()
        self._in_flight_bytes = 0

    def take(self, now_s: float, result_bytes_max: int) -> list[Result]:
        """Give the frames to send now, as many as may be in flight."""
        taken: list[Result] = []
        while self._unsent and self._in_flight_bytes < IN_FLIGHT_BYTES_MAX:
            key = self._unsent.popleft()
            finished = self._results.get(key)
            if finished is None:
                continue
            frame = _frame(finished, now_s, result_bytes_max)
            size_bytes = _value_bytes(frame) + FRAME_BYTES
            self._in_flight[key] = size_bytes
            self._in_flight_bytes += size_bytes
            taken.append(frame)
        return taken


def _frame(finished: Finished, now_s: float, result_bytes_max: int) -> Result:
    result = finished.result
    age_s = max(0.0, now_s - finished.ended_s)
    size_bytes = _value_bytes(result)
    if size_bytes <= result_bytes_max:
        return msgspec.structs.replace(result, age_s=age_s)
    # It was within the limit of the hub that it was made for, and this hub's is lower: sent as it is, it would close
    # every connection for ever.
    message = f"the result has {size_bytes} bytes; this hub takes at most {result_bytes_max}"
    error = TaskError(kind="bad_result", message=message, retryable=False)
    return msgspec.structs.replace(result, outcome="failed", value=UNSET, error=error, age_s=age_s)


def _value_bytes(result: Result) -> int:
    return len(memoryview(result.value)) if isinstance(result.value, Raw) else 0
