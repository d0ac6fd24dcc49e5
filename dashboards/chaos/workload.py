"""What is to be done meanwhile: an endless mixture of tasks, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from moorline import Options, Retry

# No attempt is to hang because of us; far above what the longest takes on a machine that is busy.
TIMEOUT_S: Final = 300.0
# The share of tasks to which each happens on top of what they are.
PRIORITY_SHARE: Final = 0.3
FAIL_IF_LOST_SHARE: Final = 0.1
CANCELLED_SHARE: Final = 0.05
TWICE_SHARE: Final = 0.06
# Of a hundred, for each kind of nap: a quarter of all slots is taken by tasks that outlast a lease.
BEYOND_LEASE_WEIGHT: Final = 1
NAPS: Final = ("chaos.nap", "chaos.nap_in_thread", "chaos.nap_in_process")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A task to submit, and what is to be expected of it."""

    name: str
    payload: Mapping[str, object] = field(default_factory=dict)
    options: Options
    fails_until: int = 0
    """Its attempts up to this one fail."""
    fails_for_good: bool | None = False
    """Whether its policy gives up before it succeeds; None if nobody knows."""
    cancel_after_s: float | None = None
    is_sent_twice: bool = False
    """It is submitted a second time, with the same idempotency key; it must be taken once."""


def plan_tasks(seed: str, *, lease_s: float, freed_after_s: float) -> Iterator[PlannedTask]:
    """Give tasks for as long as they are taken.

    Args:
        seed: of the chance.
        lease_s: the lease of each.
        freed_after_s: after how long a silence the hub gives an attempt to another node. A few tasks take longer than
            that: if their node does not stop them, two attempts run at once.
    """
    # How long a nap lasts is no secret.
    chance = random.Random(f"{seed}:tasks")  # noqa: S311
    beyond_s = (freed_after_s + 3.0, freed_after_s + 9.0)
    mixture = _MIXTURE | {_nap(name, *beyond_s): BEYOND_LEASE_WEIGHT for name in NAPS}
    makers, weights = list(mixture), list(mixture.values())
    number = 0
    while True:
        number += 1
        planned = chance.choices(makers, weights)[0](chance)
        yield _with_extras(planned, chance, lease_s, f"chaos-{seed}-{number}")


def _with_extras(planned: PlannedTask, chance: random.Random, lease_s: float, key: str) -> PlannedTask:
    options = planned.options.changed(lease_s=lease_s, timeout_s=TIMEOUT_S)
    if chance.random() < PRIORITY_SHARE:
        options = options.changed(priority=chance.randint(-5, 5))
    if chance.random() < FAIL_IF_LOST_SHARE:
        options = options.changed(on_lost="fail")
    cancel_after_s = round(chance.uniform(0.0, 4.0), 3) if chance.random() < CANCELLED_SHARE else None
    is_sent_twice = chance.random() < TWICE_SHARE
    if is_sent_twice:
        options = options.changed(idempotency_key=key)
    return replace(planned, options=options, cancel_after_s=cancel_after_s, is_sent_twice=is_sent_twice)


def _nap(name: str, low_s: float, high_s: float) -> Callable[[random.Random], PlannedTask]:
    return lambda chance: PlannedTask(
        name=name, payload={"seconds": round(chance.uniform(low_s, high_s), 3)}, options=Options()
    )


def _try_again(chance: random.Random) -> PlannedTask:
    """Fail once or twice, and succeed."""
    fails_until = chance.randint(1, 2)
    return PlannedTask(
        name="chaos.try_again",
        payload={"seconds": round(chance.uniform(0.02, 0.5), 3), "fails_until": fails_until},
        # An attempt that a dead node cost may have been one of those that were to fail: the policy leaves room.
        options=Options(retry=Retry(max_attempts=fails_until + 1, initial_s=0.2, factor=1.5)),
        fails_until=fails_until,
    )


def _give_up(chance: random.Random) -> PlannedTask:
    """Fail as often as it is tried."""
    return PlannedTask(
        name="chaos.try_again",
        payload={"seconds": round(chance.uniform(0.02, 0.3), 3), "fails_until": 1_000_000},
        options=Options(retry=Retry(max_attempts=2, initial_s=0.2)),
        fails_until=1_000_000,
        fails_for_good=True,
    )


# Weights. Long ones are there so that whoever is broken holds something, for longer than the shorter faults last.
_MIXTURE: Final[dict[Callable[[random.Random], PlannedTask], int]] = {
    _nap("chaos.nap", 0.02, 0.3): 40,
    _nap("chaos.nap", 0.5, 3.0): 17,
    _nap("chaos.nap", 6.0, 14.0): 6,
    _nap("chaos.nap_in_thread", 0.05, 1.5): 12,
    _nap("chaos.nap_in_thread", 4.0, 10.0): 2,
    _nap("chaos.nap_in_process", 0.05, 1.5): 6,
    _nap("chaos.nap_in_process", 4.0, 10.0): 2,
    _try_again: 10,
    _give_up: 5,
}
