from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from node import health_file
from node.errors import SettingsError
from node.health_file import HealthFile
from tests.node.healths import Node
from tests.waiting import until


def said(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    document: dict[str, Any] = json.loads(path.read_text())
    return document


async def test_the_file_says_how_the_node_is_and_follows_changes(tmp_path: Path) -> None:
    node, path = Node(), tmp_path / "health.json"
    file = HealthFile(path, node.look)
    await file.start()
    await until(lambda: said(path).get("ready") is True)
    node.draining = True
    file.changed()
    await until(lambda: said(path).get("reasons") == ["the node drains"])
    await file.stop()
    await file.stop()
    assert list(tmp_path.iterdir()) == []


async def test_the_file_is_written_again_without_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_file, "WRITE_EVERY_S", 0.01)
    node, path = Node(), tmp_path / "health.json"
    file = HealthFile(path, node.look)
    await file.start()
    node.running = 3
    await until(lambda: said(path).get("running") == 3)
    await file.stop()


async def test_what_an_earlier_process_left_is_taken_away(tmp_path: Path) -> None:
    node, path = Node(), tmp_path / "health.json"
    node.is_starting = True
    path.write_text('{"ready": true}')
    file = HealthFile(path, node.look)
    await file.start()
    assert not path.exists()
    await file.stop()


async def test_a_file_that_cannot_be_written_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="health file is"):
        await HealthFile(tmp_path / "away" / "health.json", Node().look).start()


async def test_a_file_that_can_no_longer_be_written_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health_file, "WRITE_EVERY_S", 0.01)
    folder = tmp_path / "run"
    folder.mkdir()
    node, path = Node(), folder / "health.json"
    file = HealthFile(path, node.look)
    await file.start()
    await until(path.exists)
    # A folder of that name cannot be replaced by a file.
    (folder / "health.json.new").mkdir()
    await until(lambda: "cannot be written" in caplog.text)
    (folder / "health.json.new").rmdir()
    node.running = 2
    await until(lambda: said(path).get("running") == 2)
    await file.stop()
    assert caplog.text.count("cannot be written") == 1
