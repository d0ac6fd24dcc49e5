"""The time that each operation carries."""

from __future__ import annotations

from msgspec import Struct


class Now(Struct, frozen=True):
    """The time of an operation, on both clocks.

    ``wall_s``: the wall clock; decides only about times that a person named (`not_before`, `deadline`) and is shown to
    people. ``steady_s``: the wall clock as it was when the hub started plus what has passed since; never jumps;
    decides about delays and pauses.
    """

    wall_s: float
    steady_s: float
