"""How the hub and its fleet stood at a moment, and what happened up to it: one point of each chart.

Samples of 10 seconds are rolled into samples of 5 minutes, which are kept for longer. Pure values and functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import ceil, floor
from typing import Final

from msgspec import Struct

# The steps that charts of the last hour, and of the last month, need.
STEP_S: Final = 10
ROLLED_STEP_S: Final = 300


class Sample(Struct, frozen=True, kw_only=True, array_like=True):
    """What was so at ``at``, the end of a step of ``step_s`` seconds, and how much happened in that step.

    Counts (``submitted`` … ``lost``) are of the step. ``waits`` and ``runs`` are the step's histograms, as many per
    bucket as `hub.decisions.meter.BOUNDS_S` has them; empty where nothing was measured. Of a rolled sample
    ``oldest_queued_s`` is the largest, and what stood at a moment is the mean. The order of the fields is part of the
    stored form.
    """

    at: float
    step_s: int
    queued: float
    running: float
    scheduled: float
    oldest_queued_s: float
    nodes_online: float
    nodes_away: float
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    expired: int
    lost: int
    waits: list[int] = []
    runs: list[int] = []


def end_of_step(at_s: float, step_s: int) -> float:
    """Give the end of the step that ``at_s`` lies in. Steps end at the multiples of their length."""
    return float(ceil(at_s / step_s) * step_s)


def rolled(samples: Iterable[Sample], now_s: float) -> list[Sample]:
    """Roll samples, oldest first, into one for each longer step that is over at ``now_s``.

    A step that lacks some of its samples, since the hub was away, is rolled from those that there are.
    """
    over_s = floor(now_s / ROLLED_STEP_S) * ROLLED_STEP_S
    ended = (sample for sample in samples if sample.at <= over_s)
    return [_roll(list(of_step), at) for at, of_step in groupby(ended, _end_of_longer_step)]


def _end_of_longer_step(sample: Sample) -> float:
    return end_of_step(sample.at, ROLLED_STEP_S)


def _roll(samples: Sequence[Sample], at: float) -> Sample:
    return Sample(
        at=at,
        step_s=ROLLED_STEP_S,
        queued=_mean([sample.queued for sample in samples]),
        running=_mean([sample.running for sample in samples]),
        scheduled=_mean([sample.scheduled for sample in samples]),
        oldest_queued_s=max(sample.oldest_queued_s for sample in samples),
        nodes_online=_mean([sample.nodes_online for sample in samples]),
        nodes_away=_mean([sample.nodes_away for sample in samples]),
        submitted=sum(sample.submitted for sample in samples),
        succeeded=sum(sample.succeeded for sample in samples),
        failed=sum(sample.failed for sample in samples),
        cancelled=sum(sample.cancelled for sample in samples),
        expired=sum(sample.expired for sample in samples),
        lost=sum(sample.lost for sample in samples),
        waits=_added([sample.waits for sample in samples]),
        runs=_added([sample.runs for sample in samples]),
    )


def _mean(values: Sequence[float]) -> float:
    # Charts show no more, and a third has seventeen digits.
    return round(sum(values) / len(values), 2)


def _added(histograms: Sequence[Sequence[int]]) -> list[int]:
    """Add histograms up, bucket by bucket; empty if all are."""
    filled = [histogram for histogram in histograms if histogram]
    return [sum(buckets) for buckets in zip(*filled, strict=True)]
