"""Fifty real nodes and ten restarts in a row: the usual restart of a hub is over for its fleet within three seconds."""

from __future__ import annotations

import pytest

from benchmarks.reconnect import measure


def test_the_measurement_tells_each_restart_and_the_median() -> None:
    figures = measure(nodes=2, restarts=2, down_s=0.1)
    assert len(figures["all_back_s"]) == 2
    assert min(figures["all_back_s"]) <= figures["all_back_s_median"] <= 5.5


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_fifty_nodes_are_back_within_three_seconds_of_the_hub_being_ready() -> None:
    figures = measure(nodes=50, restarts=10, down_s=1.0)
    print(figures)
    assert figures["all_back_s_median"] <= 3.0
