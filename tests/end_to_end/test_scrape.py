"""What Prometheus reads of a hub with a thousand nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.end_to_end.processes import HubProcess, Process, until
from tests.hub.metrics.readings import samples

NODES = 1_000
PROCESSES = 2

# Connecting costs both sides a few milliseconds, and others use the machine too.
ALL_IN_WITHIN_S = 90.0


def scrape(hub: HubProcess) -> bytes:
    with urlopen(f"{hub.url}/metrics", timeout=30) as answer:
        text: bytes = answer.read()
        return text


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub", "--admissions-per-s", "100000", "--durability", "normal")
    hub.start()
    yield hub
    hub.kill()


def test_a_scrape_does_not_grow_with_the_fleet(hub: HubProcess, tmp_path: Path) -> None:
    before = scrape(hub)
    share = str(NODES // PROCESSES)
    files = (str(tmp_path / "dials.ndjson"), str(tmp_path / "gate"))
    crowds = [
        Process(["-m", "tests.faults.light_nodes", hub.node_url, f"c{number}-", share, *files], {})
        for number in range(PROCESSES)
    ]
    try:
        for crowd in crowds:
            crowd.start()
        until(lambda: samples(scrape(hub))["moorline_sessions", ()] == NODES, "all nodes are in", ALL_IN_WITHIN_S)
        text = scrape(hub)
    finally:
        for crowd in crowds:
            crowd.kill()
    assert len(text) < 1_000_000
    # New are the routes that were asked, and the states of nodes that there were none in before: a handful.
    assert len(text.splitlines()) - len(before.splitlines()) < 20
    assert samples(text)["moorline_slots", ()] == NODES
