"""Quiet times: windows of local time in which nobody is told. What still fires at their end is told then."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class QuietTime(Struct, frozen=True, kw_only=True):
    """A window of local time on some days. One that ends before it begins ends on the next day; `days` are those on
    which it begins. Begin and end alike: the whole day.
    """

    name: str
    begins: time
    ends: time
    days: frozenset[str] = frozenset(DAYS)
    zone: ZoneInfo = ZoneInfo("UTC")

    def covers(self, wall_s: float) -> bool:
        """Tell whether this moment lies in the window, by the clock on the wall there (so also when that is set)."""
        local = datetime.fromtimestamp(wall_s, UTC).astimezone(self.zone)
        clock = local.time()
        if self.begins < self.ends:
            return self.begins <= clock < self.ends and self._is_on(local)
        if clock >= self.begins:
            return self._is_on(local)
        return clock < self.ends and self._is_on(local - timedelta(days=1))

    def _is_on(self, begun: datetime) -> bool:
        return DAYS[begun.weekday()] in self.days
