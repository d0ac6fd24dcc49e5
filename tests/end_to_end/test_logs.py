"""What hub and node write where nobody sits: JSON, one event a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.processes import HubProcess, NodeProcess


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub")
    hub.start()
    yield hub
    hub.kill()


def node_of(hub: HubProcess, folder: Path, *arguments: str) -> NodeProcess:
    return NodeProcess(hub.node_url, folder / "node", folder / "truth", "n", *arguments)


def documents(log: str) -> list[dict[str, Any]]:
    """Read each line; a line that is no JSON fails the test."""
    said = [json.loads(line) for line in log.splitlines()]
    for each in said:
        assert list(each)[:4] == ["time", "level", "logger", "message"]
        assert datetime.fromisoformat(each["time"]).tzinfo is not None
    return said


def test_each_line_of_hub_and_node_is_a_document(hub: HubProcess, tmp_path: Path) -> None:
    node = node_of(hub, tmp_path)
    node.start()
    try:
        node.wait_for_line("connected to hub")
        hub.terminate()
        node.wait_for_line("no session with a hub")
        assert node.terminate() == 0
    finally:
        node.kill()
    of_hub, of_node = documents(hub.log), documents(node.log)
    assert of_hub[0]["message"].startswith("hub ready: nodes ws://127.0.0.1:")
    assert {each["node_id"] for each in of_node} == {"n"}
    (connected,) = (each for each in of_node if each["message"].startswith("connected to hub"))
    assert connected["hub"] == hub.node_url
    assert connected["session_id"]


def test_lines_for_people_can_be_asked_for(hub: HubProcess, tmp_path: Path) -> None:
    node = node_of(hub, tmp_path, "--log-format", "human")
    node.start()
    try:
        node.wait_for_line("connected to hub")
    finally:
        node.kill()
    for line in node.log.splitlines():
        at, level = line.split()[:2]
        assert datetime.fromisoformat(at).tzinfo is not None
        assert level in {"INFO", "WARNING"}
