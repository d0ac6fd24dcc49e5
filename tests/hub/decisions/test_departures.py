from __future__ import annotations

import pytest

from hub.decisions.departures import DEPARTURES, departure


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("bye: SIGTERM", "bye"),
        ("silent for 31 s", "silent"),
        ("superseded by a newer connection", "superseded"),
        ("disconnected by an operator", "operator"),
        ("protocol error: frame `x` is wrong", "protocol_error"),
        ("closed by the node with 1001: going away", "closed_by_node"),
        ("closed by the hub with 4005: too slow", "closed_by_hub"),
        ("the connection broke", "broken"),
        ("something new", "other"),
    ],
)
def test_a_reason_falls_into_its_class(reason: str, name: str) -> None:
    assert departure(reason) == name
    assert name in DEPARTURES


def test_whoever_leaves_a_hub_that_stops_left_for_that() -> None:
    assert departure("closed by the node with 1000", stopping=True) == "hub_stopped"
