"""Alerts page by page."""

from __future__ import annotations

from typing import Any

import pytest

from hub.alerts.engine import AlertView
from hub.alerts.paging import page_of


def alert(alert_id: str, state: Any = "firing", at: float = 1.0, severity: Any = "warning") -> AlertView:
    return AlertView(
        id=alert_id,
        rule="r",
        severity=severity,
        subject="",
        state=state,
        message="",
        value=None,
        since_at=at,
        fired_at=None if state == "pending" else at,
        resolved_at=at if state == "resolved" else None,
        silenced_until=None,
    )


ALL = [
    alert("over-old", "resolved", 1.0),
    alert("over", "resolved", 2.0),
    alert("pending", "pending", 9.0),
    alert("old", at=1.5),
    alert("new,with a comma", at=2.25),
    alert("alike", at=2.25),
    alert("critical", at=1.0, severity="critical"),
]
ORDER = ["critical", "alike", "new,with a comma", "old", "pending", "over", "over-old"]


def ids(page: Any) -> list[str]:
    return [one.id for one in page.alerts]


def test_what_one_has_to_act_on_comes_first() -> None:
    page = page_of(ALL, states=[], limit=100, cursor=None)
    assert (ids(page), page.total, page.cursor) == (ORDER, 7, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_pages_behind_each_other_are_the_whole(limit: int) -> None:
    found: list[str] = []
    cursor = None
    while True:
        page = page_of(ALL, states=[], limit=limit, cursor=cursor)
        assert len(page.alerts) <= limit
        assert page.total == 7
        found += ids(page)
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ORDER


def test_one_that_stays_as_it_is_comes_once_whatever_begins_and_ends_meanwhile() -> None:
    first = page_of(ALL, states=[], limit=3, cursor=None)
    later = [alert("newest", at=99.0, severity="critical"), *(one for one in ALL if one.id != first.alerts[-1].id)]
    assert ids(page_of(later, states=[], limit=100, cursor=first.cursor)) == ORDER[3:]


def test_states_choose() -> None:
    assert ids(page_of(ALL, states=["pending", "resolved"], limit=2, cursor=None)) == ["pending", "over"]


@pytest.mark.parametrize("cursor", ["", "x", "firing,0,1.0", "burning,0,1.0,a", "firing,a,1.0,a", "firing,0,nan,a"])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="an earlier page"):
        page_of(ALL, states=[], limit=1, cursor=cursor)
