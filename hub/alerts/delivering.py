"""When a message that was not taken is tried again, and when it is given up. Pure: handed counts, ages and luck."""

from __future__ import annotations

from typing import Final

# The first new try comes soon, since most receivers are away for a restart; the pauses double up to a minute, so that
# one that is back is told within a minute.
FIRST_PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 60.0

# Two hubs behind one receiver must not try in step.
JITTER: Final = 0.2

# A receiver may be away for a long weekend; after it the news is none.
GIVEN_UP_AFTER_S: Final = 3 * 24 * 3600.0

# A receiver that says that this message can never be right is asked a few times more: it may be in the middle of an
# upgrade. Then the message makes room for the next.
REFUSALS_MAX: Final = 5


def pause_s(failures: int, luck: float) -> float:
    """Give how long to wait after so many failures in a row (1: the first); ``luck`` is drawn evenly from 0 to 1."""
    # The exponent is bounded: a float overflows at 2 to the 1024.
    pause = min(PAUSE_S_MAX, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return pause * (1 - JITTER + JITTER * luck)


def is_given_up(age_s: float, refusals: int) -> bool:
    """Tell whether a message of this age that was refused so often is not tried again."""
    return age_s > GIVEN_UP_AFTER_S or refusals >= REFUSALS_MAX
