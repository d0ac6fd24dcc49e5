"""Silences: which alerts are told to nobody, and until when.

A silence is asked for by its length, and lasts that long whatever somebody does to the wall clock meanwhile: how much
of it is left is counted on the steady clock. What is stored, and what people see, is its end on the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from hub.store.alerts import SILENCES_KEPT_MAX, SilenceRow
from hub.store.now import Now

Key: TypeAlias = tuple[str, str]
"""``(rule, subject)``"""

# Clocks that are kept in step differ by less; by more, somebody set one.
SET_S: Final = 1.0


class _Silence(Struct, frozen=True):
    """A silence as it is stored, and when it ends in steady time."""

    row: SilenceRow
    until_s: float

    def until_at(self, now: Now) -> float:
        """Give its end on the wall clock as that is now: as it was asked for, unless the clock was set since."""
        until_at = now.wall_s + (self.until_s - now.steady_s)
        return until_at if abs(until_at - self.row.until_at) > SET_S else self.row.until_at


class Silences:
    """All silences of one hub that may not be over.

    Args:
        known: those that an earlier process stored.
        now: the time.
    """

    def __init__(self, known: Iterable[SilenceRow], now: Now) -> None:
        self._by_id = {row.id: _began(row, now) for row in known}
        # By rule and subject, empty for any: of alerts and silences there may be thousands.
        self._longest: dict[Key, _Silence] = {}
        self._order()

    def put(self, row: SilenceRow, now: Now) -> None:
        """Take a silence into account, or a new end of one; forget those that are over."""
        self._by_id = {known: silence for known, silence in self._by_id.items() if silence.until_s > now.steady_s}
        self._by_id[row.id] = _began(row, now)
        while len(self._by_id) > SILENCES_KEPT_MAX:
            # As in the store.
            del self._by_id[min(self._by_id, key=lambda known: self._by_id[known].row.made_at)]
        self._order()

    def _order(self) -> None:
        self._longest = {}
        for silence in self._by_id.values():
            key = (silence.row.rule, silence.row.subject)
            known = self._longest.get(key)
            if known is None or silence.until_s > known.until_s:
                self._longest[key] = silence

    def get(self, silence_id: str) -> SilenceRow | None:
        """Give a silence as it is stored."""
        silence = self._by_id.get(silence_id)
        return None if silence is None else silence.row

    def open_ones(self, now: Now) -> list[SilenceRow]:
        """Give the silences that are not over, by age."""
        found = [silence for silence in self._by_id.values() if silence.until_s > now.steady_s]
        rows = [replace(silence.row, until_at=silence.until_at(now)) for silence in found]
        return sorted(rows, key=lambda row: (row.made_at, row.id))

    def until_at(self, rule: str, subject: str, now: Now) -> float | None:
        """Give until when alerts of this rule about this subject are told to nobody; None: they are told."""
        keys: tuple[Key, ...] = (("", ""), (rule, ""), ("", subject), (rule, subject))
        met = [silence for key in keys if (silence := self._longest.get(key)) is not None]
        last = max(met, key=lambda silence: silence.until_s, default=None)
        return None if last is None or last.until_s <= now.steady_s else last.until_at(now)


def _began(row: SilenceRow, now: Now) -> _Silence:
    # Never more than it was made for: the clock may have been set back while no hub ran.
    left_s = min(row.until_at - now.wall_s, row.until_at - row.made_at)
    return _Silence(row, now.steady_s + left_s)
