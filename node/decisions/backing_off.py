"""How long to wait before the next dial. The only module that knows the `backoff` library.

It counts dials, never sessions: wrapped around a session, the library's delay would never shrink again. What it gives:

- after a session: a time drawn evenly from 0 to the spread that the hub named, so that a fleet comes back one by one;
- after a dial that failed, or a session too short to be of use: ``uniform(0.5, 1) * min(cap, 1 s * 2**k)``;
- ``k`` begins again at 0 once a session has lived for a minute;
- what the hub asked for (``Retry-After``), with up to a fifth more;
- parked, where only a person can help: 5 to 15 minutes.

The fork `python-backoff` 3 has the same generators under the same import name, and may take this one's place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import backoff

# A session that lived so long proves that the hub is well.
TRUSTED_AFTER_S: Final = 60.0

# A session that lived so long was of use: results and tasks went over it, and the hub needed a few milliseconds for it.
# A link that is cut every second is no reason to stay away. Who comes back too often is stopped by the hub's door.
USEFUL_AFTER_S: Final = 0.1

# Below this a spread spreads nothing; it is also the wait after a session with a hub that named none.
SPREAD_S_MIN: Final = 0.5

# A hub must not be able to send a node away for longer than parking would.
RETRY_AFTER_S_MAX: Final = 900.0
RETRY_AFTER_JITTER: Final = 0.2

PARKED_S_MIN: Final = 300.0
PARKED_S_MAX: Final = 900.0

# The longest wait between dials is the spread: a hub that is away is dialled by a third more nodes per second than it
# would admit, at most. A fleet that is admitted within seconds need not be gone for longer than seconds after the hub
# is back. Nobody waits longer than half a minute; who never heard a spread leaves the hub as much air.
CAP_S_MIN: Final = 2.5
CAP_S_MAX: Final = 30.0


class BackingOff:
    """One node's patience with its hubs.

    Args:
        luck: gives a number drawn evenly from 0 to 1; handed in so that a run can be repeated.
    """

    def __init__(self, luck: Callable[[], float]) -> None:
        self._luck = luck
        self._spread_s = SPREAD_S_MIN
        self._cap_s = CAP_S_MAX
        self._delays_s = _exponential_s(self._cap_s)
        self._is_fresh = True

    def spread_named(self, spread_s: float) -> None:
        """Remember what the hub said about how to come back."""
        self._spread_s = max(spread_s, SPREAD_S_MIN)
        self._cap_s = min(max(self._spread_s, CAP_S_MIN), CAP_S_MAX)

    def after_session(self, lived_s: float, spread_s: float | None = None) -> float:
        """Give the wait after a session that lived ``lived_s``; ``spread_s`` where the hub named one as it went."""
        if lived_s >= TRUSTED_AFTER_S:
            self._delays_s = _exponential_s(self._cap_s)
            self._is_fresh = True
        first_s = self._first_s(spread_s)
        if self._is_fresh or lived_s >= USEFUL_AFTER_S:
            self._is_fresh = False
            return first_s
        return max(first_s, self._next_s())

    def after_failure(self, retry_after_s: float | None = None) -> float:
        """Give the wait after a dial or a registration that failed; the hub's own wish goes first."""
        self._is_fresh = False
        if retry_after_s is not None:
            return min(retry_after_s, RETRY_AFTER_S_MAX) * (1 + RETRY_AFTER_JITTER * self._luck())
        return self._next_s()

    def after_unknown_session(self) -> float:
        """Give the wait before registering anew: the hub is well, but a whole fleet may be in the same position."""
        return self._first_s(None)

    def before_other_hub(self) -> float:
        """Give the wait before the next address of a round: short, for the fault may be of one address only."""
        return SPREAD_S_MIN * self._luck()

    def parked(self) -> float:
        """Give the wait where only a person can help."""
        return PARKED_S_MIN + (PARKED_S_MAX - PARKED_S_MIN) * self._luck()

    def _first_s(self, spread_s: float | None) -> float:
        return max(spread_s if spread_s is not None else self._spread_s, SPREAD_S_MIN) * self._luck()

    def _next_s(self) -> float:
        return (0.5 + 0.5 * self._luck()) * min(next(self._delays_s), self._cap_s)


def _exponential_s(cap_s: float) -> Iterator[float]:
    """Give 1, 2, 4 … seconds up to the cap, for ever."""
    delays_s: Iterator[float | None] = backoff.expo(base=2, factor=1, max_value=cap_s)
    # The library's generators open with a None, whatever their types say.
    return (delay_s for delay_s in delays_s if delay_s is not None)
