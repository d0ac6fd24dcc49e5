"""How long a failed task waits before its next attempt."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# More attempts than this are a loop, not a policy; a longer pause is a schedule.
ATTEMPTS_MAX = 1000
PAUSE_S_MAX = 7 * 24 * 3600.0


class RetryPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """When a failed attempt is followed by another.

    ``max_attempts`` counts attempts whose handler ran to a failure; those that the death of a node cost are not
    counted. The pause before failure k+1 is ``initial_s * factor**(k-1)``, at most ``maximum_s``, plus or minus the
    share ``jitter`` of itself.
    """

    max_attempts: Annotated[int, Meta(ge=1, le=ATTEMPTS_MAX)] = 1
    initial_s: Annotated[float, Meta(ge=0, le=PAUSE_S_MAX)] = 1.0
    factor: Annotated[float, Meta(ge=1, le=100)] = 2.0
    maximum_s: Annotated[float, Meta(ge=0, le=PAUSE_S_MAX)] = 300.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1


def pause_s(policy: RetryPolicy, failures: int, luck: float) -> float | None:
    """Give the pause after the ``failures``-th failure in seconds, or None if no attempt is left.

    Args:
        policy: the task's policy.
        failures: how many attempts have failed so far, this one included; at least 1.
        luck: a number drawn evenly from 0 to 1, which places the pause within its jitter.
    """
    if failures >= policy.max_attempts:
        return None
    # The exponent is bounded so that a thousand attempts with factor 100 stay a float.
    growth = policy.factor ** min(failures - 1, 64)
    pause = min(policy.maximum_s, policy.initial_s * growth)
    return float(pause * (1 + policy.jitter * (2 * luck - 1)))
