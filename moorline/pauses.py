"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

# Whatever a `Retry-After` says, or a clock that is wrong makes of it: a client looks again after five minutes.
RETRY_AFTER_S_MAX = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Pauses that double up to a bound, each shortened by up to half by chance, so that a thousand clients that lost
    one hub do not come back as one.
    """

    first_s: float
    maximum_s: float
    luck: Callable[[], float] = random.random

    def after(self, failures: int, retry_after_s: float | None = None) -> float:
        """Give the pause in seconds after so many failures in a row; not less than the hub asked for."""
        # The exponent is bounded so that a week of failures stays a float.
        pause_s = min(self.maximum_s, self.first_s * 2.0 ** min(failures - 1, 32))
        pause_s *= 0.5 + 0.5 * self.luck()
        return max(pause_s, min(retry_after_s or 0.0, RETRY_AFTER_S_MAX))
