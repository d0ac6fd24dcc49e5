"""How many wrong logins are answered: enough for people who mistype, few enough to stay quiet."""

from __future__ import annotations

from typing import Final

# Wrong tokens in a row that are answered at once, and how many a second after that. A token has 256 bits, so guessing
# is hopeless at any rate: the bound keeps noise small. It is for all callers together, and a good token is let in all
# the same, so that nobody can lock others out.
FAILURES_MAX: Final = 20
FAILURES_PER_S: Final = 2.0


class FailureLimit:
    """Counts wrong logins. Pure: it is handed the time."""

    def __init__(self) -> None:
        self._left = float(FAILURES_MAX)
        self._at_s = 0.0

    def take(self, now_s: float) -> bool:
        """Count one; False: there were too many lately."""
        self._left = min(FAILURES_MAX, self._left + max(0.0, now_s - self._at_s) * FAILURES_PER_S)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
