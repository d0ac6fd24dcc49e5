"""A hub and a node as processes of their own, in a folder that is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 30.0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return orjson.loads(answer.read())


@contextlib.contextmanager
def installation(*, slots: int, durability: str = "full") -> Iterator[str]:
    """Start one hub and one node with `benchmarks.handlers`; give the URL of the API; end both.

    The state is kept under the current folder, so that commits go to a real disk and not to memory.
    """
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder, contextlib.ExitStack() as ends:
        nodes, http = _free_port(), _free_port()
        log = ends.enter_context((Path(folder) / "log.txt").open("wb"))
        hub = [
            *("run_hub.py", "--state", f"{folder}/hub", "--node-port", str(nodes), "--http-port", str(http)),
            *("--durability", durability),
        ]
        node = [
            *("run_node.py", "--hub", f"ws://127.0.0.1:{nodes}", "--node-id", "bench", "--state", f"{folder}/node"),
            *("--app", "benchmarks.handlers", "--slots", str(slots)),
        ]
        for command in (hub, node):
            process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=log, stderr=log)
            ends.callback(process.wait)
            ends.callback(process.kill)
        url = f"http://127.0.0.1:{http}"
        _wait_until_ready(url, Path(folder) / "log.txt")
        yield url


def _wait_until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if any(node["state"] == "online" for node in _get(f"{url}/v1/nodes")["nodes"]):
                return
        time.sleep(0.05)
    raise SystemExit(f"hub and node were not ready within {READY_WITHIN_S:.0f} s:\n{log.read_text()[-2000:]}")


def conditions() -> dict[str, Any]:
    """Say on what and with what was measured."""
    packages = ("moorline", "websockets", "aiohttp", "orjson", "msgspec", "uvloop")
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "versions": {name: version(name) for name in packages},
    }
