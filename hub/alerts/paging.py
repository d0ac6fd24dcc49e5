"""Alerts page by page: in one order, from where the page before ended.

Pure. Between two pages alerts may begin to fire and be over: one that stays as it is comes exactly once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from hub.alerts.engine import SEVERITY_RANKS, AlertView

State: TypeAlias = Literal["firing", "pending", "resolved"]

# In the order in which they are shown: what people have to act on comes first.
STATES: Final[tuple[State, ...]] = ("firing", "pending", "resolved")

Place: TypeAlias = tuple[int, int, float, str]
"""State, severity, time and id of an alert, so that the one to be shown first is the least."""


class AlertPage(Struct, frozen=True, kw_only=True):
    """``total``: how many there are on all pages. ``cursor``: where the next page begins, None if there is none."""

    alerts: list[AlertView]
    total: int
    cursor: str | None


def page_of(alerts: Iterable[AlertView], *, states: Collection[str], limit: int, cursor: str | None) -> AlertPage:
    """Give a page of the alerts in these states (none: in any): firing ones, critical and newest first; then pending
    ones, newest first; then those that are over, the last one first.

    Raises:
        ValueError: the cursor is none that a page gave; behind a semicolon what would be right.
    """
    behind = None if cursor is None else _read(cursor)
    chosen = sorted((alert for alert in alerts if not states or alert.state in states), key=_place)
    rest = chosen if behind is None else [alert for alert in chosen if _place(alert) > behind]
    shown = rest[:limit]
    more = len(rest) > limit
    return AlertPage(alerts=shown, total=len(chosen), cursor=_written(_place(shown[-1])) if more else None)


def _place(alert: AlertView) -> Place:
    rank = STATES.index(alert.state)
    if alert.state == "firing":
        return rank, -SEVERITY_RANKS[alert.severity], -(alert.fired_at or 0.0), alert.id
    at = alert.since_at if alert.resolved_at is None else alert.resolved_at
    return rank, 0, -at, alert.id


def _written(place: Place) -> str:
    rank, severity, at, alert_id = place
    return f"{STATES[rank]},{-severity},{-at!r},{alert_id}"


def _read(cursor: str) -> Place:
    try:
        state, severity, at, alert_id = cursor.split(",", 3)
        place = STATES.index(state), -int(severity), -float(at), alert_id
        if math.isnan(place[2]):
            raise ValueError
    except ValueError:
        raise ValueError(f"cursor is {cursor[:40]!r}; the cursor of an earlier page, as it is") from None
    return place
