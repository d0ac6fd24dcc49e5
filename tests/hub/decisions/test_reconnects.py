from __future__ import annotations

from hub.decisions.reconnects import Reconnects
from hub.store.events import Event


def told(*events: tuple[str, str, float]) -> Reconnects:
    reconnects = Reconnects()
    reconnects.take([Event(id=1, at=at, kind=f"node.{kind}", node_id=node_id) for node_id, kind, at in events])
    return reconnects


def test_a_node_that_comes_back_was_away_since_it_left() -> None:
    reconnects = told(("n", "unreachable", 10.0), ("m", "online", 11.0), ("n", "online", 12.5))
    assert (reconnects.times.count, reconnects.times.sum_s) == (1, 2.5)


def test_what_is_said_twice_counts_from_the_first_time() -> None:
    reconnects = told(("n", "unreachable", 10.0), ("n", "unreachable", 11.0), ("n", "draining", 13.0))
    assert reconnects.times.sum_s == 3.0


def test_a_node_that_is_gone_does_not_come_back() -> None:
    assert told(("n", "unreachable", 10.0), ("n", "gone", 20.0), ("n", "online", 30.0)).times.count == 0


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert told(("n", "unreachable", 10.0), ("n", "online", 5.0)).times.sum_s == 0.0
