from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from node.errors import SettingsError
from node.settings import NodeSettings
from node.watchers import Watchers
from protocol.service_manager import ServiceManager
from tests.node.healths import Node
from tests.protocol.manager import manager
from tests.waiting import until


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


async def test_each_watcher_that_is_asked_for_looks_until_the_end(tmp_path: Path) -> None:
    node, file, port = Node(), tmp_path / "health", free_port()
    with manager(tmp_path) as systemd:
        settings = NodeSettings(health_port=port, health_file=file)
        watchers = Watchers(settings, ServiceManager(str(systemd.path)), node.look)
        await watchers.start()
        watchers.watch()
        await until(file.exists)
        assert is_open(port)
        node.draining = True
        watchers.changed()
        await until(lambda: json.loads(file.read_text())["draining"])
        await watchers.stop()
        await watchers.stop()
        assert (file.exists(), is_open(port)) == (False, False)
        assert systemd.all_of("READY") == systemd.all_of("STOPPING") == ["1"]


async def test_none_is_asked_for_and_none_looks(tmp_path: Path) -> None:
    node = Node()
    node.is_starting = True
    watchers = Watchers(NodeSettings(), ServiceManager(), node.look)
    await watchers.start()
    watchers.watch()
    watchers.changed()
    await watchers.stop()


async def test_a_file_that_cannot_be_written_leaves_no_port_open(tmp_path: Path) -> None:
    port = free_port()
    settings = NodeSettings(health_port=port, health_file=tmp_path / "away" / "health")
    with pytest.raises(SettingsError, match="health file"):
        await Watchers(settings, ServiceManager(), Node().look).start()
    assert not is_open(port)


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="health port is 70000"):
        NodeSettings(health_port=70000)
