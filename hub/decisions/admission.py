"""How many nodes may come in per second, and over what time the others are asked to spread."""

from __future__ import annotations

# A hub without nodes names this: a handful of nodes is back at once, and still not in one instant.
SPREAD_S_MIN = 0.5

# The furthest place in the line that is promised: a crowd that never returns must not push others out for longer.
RETRY_AFTER_S_MAX = 60.0


# What was not used of the rate is kept for so long: a crowd that is a little late, or a little uneven, costs no time,
# and no second sees more than a quarter above the rate.
SAVED_S_MAX = 0.25


class Admission:
    """A token bucket: ``rate_per_s`` admissions a second, and at once what `SAVED_S_MAX` has saved, at least one.
    Handed the time, keeps no clock.
    """

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = max(1.0, rate_per_s * SAVED_S_MAX)
        self._tokens = self._burst
        self._filled_at_s: float | None = None
        self._promised_s = 0.0

    def admit(self, now_s: float) -> float | None:
        """Admit one (None), or give the seconds after which to come back.

        Whoever is refused is promised a place of its own behind those refused before, so that a crowd comes back at the
        rate and not together. Where the line is longer than may be promised, places are given from its front again:
        better twice than all at its end.
        """
        passed_s = 0.0 if self._filled_at_s is None else max(0.0, now_s - self._filled_at_s)
        self._filled_at_s = now_s
        self._tokens = min(self._burst, self._tokens + passed_s * self._rate_per_s)
        # A thousandth of an admission forgives what adding up small fractions loses.
        if self._tokens >= 0.999:
            self._tokens -= 1
            return None
        place_s = 1 / self._rate_per_s
        self._promised_s = max(self._promised_s, now_s) + place_s
        if self._promised_s > now_s + RETRY_AFTER_S_MAX:
            self._promised_s = now_s + min(place_s, RETRY_AFTER_S_MAX)
        return self._promised_s - now_s


def retry_after_header_s(wait_s: float) -> int:
    """Give a wait in the whole seconds that ``Retry-After`` can say: a little late is better than early."""
    return int(wait_s) + 1


def spread_s(nodes: int, rate_per_s: float) -> float:
    """Give the time over which this many nodes come back without passing the rate."""
    return max(SPREAD_S_MIN, nodes / rate_per_s)


def is_outdated(named_s: float, spread_s: float) -> bool:
    """Tell whether a spread that a node was told is so far from the right one that it should hear again: a fleet that
    came one by one was told little at first, and would come back in a crowd.
    """
    # By a quarter, so that a node that comes or goes is not told to all the others.
    return not named_s / 1.25 <= spread_s <= named_s * 1.25
