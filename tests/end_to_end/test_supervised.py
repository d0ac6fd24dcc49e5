"""Hub and node as a service manager and probes see them: real processes, a manager that listens, `moorline health`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest

from tests.end_to_end.processes import ROOT, HubProcess, NodeProcess, Process, free_port, until
from tests.protocol.manager import Manager

WATCHDOG_S = 0.6


def supervised(process: Process, systemd: Manager) -> None:
    process._environment |= {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub")
    yield hub
    hub.kill()


def health(*arguments: str) -> int:
    command = [sys.executable, "-m", "moorline.cli", "health", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode


def asked(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(url, timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_hub_tells_that_it_is_ready_alive_and_stopping(hub: HubProcess, systemd: Manager) -> None:
    supervised(hub, systemd)
    hub.start()
    systemd.wait_for(lambda: systemd.all_of("READY"), "ready")
    systemd.wait_for(lambda: len(systemd.all_of("WATCHDOG")) >= 4, "alive")
    assert systemd.all_of("STATUS")[0] == "serving 0 nodes"
    assert health("--url", hub.url) == 0
    assert hub.terminate() == 0
    assert len(systemd.all_of("STOPPING")) == 1
    assert health("--url", hub.url, "--live") == 1


def test_a_hub_that_stands_still_is_silent_and_so_is_found(hub: HubProcess, systemd: Manager) -> None:
    supervised(hub, systemd)
    hub.start()
    systemd.wait_for(lambda: systemd.all_of("WATCHDOG"), "alive")
    hub.signal(signal.SIGSTOP)
    try:
        until(lambda: psutil.Process(hub.pid).status() == psutil.STATUS_STOPPED, "the hub stands still")
        systemd.listen()
        before = len(systemd.told)
        assert health("--url", hub.url, "--live", "--within", f"{2 * WATCHDOG_S}s") == 1
        assert len(systemd.listen()) == before
    finally:
        hub.signal(signal.SIGCONT)
    systemd.wait_for(lambda: len(systemd.all_of("WATCHDOG")) > before, "alive again")


def test_a_node_is_ready_for_its_manager_without_a_hub_and_for_probes_with_one(
    hub: HubProcess, systemd: Manager, tmp_path: Path
) -> None:
    port, file = free_port(), tmp_path / "health.json"
    node = NodeProcess(
        hub.node_url, tmp_path / "n", tmp_path / "truth", "n", "--health-port", str(port), "--health-file", str(file)
    )
    supervised(node, systemd)
    url = f"http://127.0.0.1:{port}"
    node.start()
    try:
        systemd.wait_for(lambda: systemd.all_of("READY"), "ready")
        node.wait_for_line("no session with a hub")
        assert asked(f"{url}/livez")[0] == 200
        status, body = asked(f"{url}/readyz")
        assert (status, body["connected"]) == (503, False)
        assert "connection refused" in body["reasons"][0]
        assert (health("--url", url), health("--url", url, "--live")) == (1, 0)
        assert (health("--file", str(file)), health("--file", str(file), "--live")) == (1, 0)

        hub.start()
        node.wait_for_line("connected to hub")
        until(lambda: asked(f"{url}/readyz")[0] == 200, "the node is ready")
        until(lambda: json.loads(file.read_text())["ready"], "the file says so too")
        body = asked(f"{url}/health")[1]
        assert (body["node_id"], body["hub"], body["slots"], body["running"]) == ("n", hub.node_url, 8, 0)
        assert body["confirmed_age_s"] < 60
        assert (health("--url", url), health("--file", str(file))) == (0, 0)
        systemd.wait_for(lambda: systemd.all_of("STATUS")[-1].startswith(f"connected to {hub.node_url}"), "connected")

        assert node.terminate() == 0
    finally:
        node.kill()
    assert len(systemd.all_of("STOPPING")) == 1
    assert len(systemd.all_of("WATCHDOG")) >= 2
    assert not file.exists()


def test_a_node_whose_health_port_is_taken_says_so_and_ends_with_2(hub: HubProcess, tmp_path: Path) -> None:
    hub.start()
    node = NodeProcess(hub.node_url, tmp_path / "n", tmp_path / "truth", "n", "--health-port", str(hub.http_port))
    node.start()
    assert node.wait() == 2
    assert "health port is" in node.log
    assert "Traceback" not in node.log
