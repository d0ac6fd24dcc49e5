"""A hub and a node as processes of their own, in a folder that is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import orjson
import psutil

from benchmarks.process import ROOT, Process

# A hub with a million tasks, and a node, on a machine that others use too.
READY_WITHIN_S: Final = 60.0

ANSWER_WITHIN_S: Final = 10.0

# Enough for a median; a slow disk takes 10 ms for each.
SYNCS: Final = 21
PAGE_BYTES: Final = 4096

NODE_ID: Final = "bench"

# What `installation` starts, as the settings of a claim.
ONE_OF_EACH: Final[Mapping[str, Any]] = {"hubs": 1, "nodes": 1, "clients": 1, "durability": "full"}

# A fleet that comes from one address, and an admission rate that decides no figure.
CROWDED: Final = (
    *("--admissions-per-s", "1000000", "--connections-max", "20000"),
    *("--connections-per-address-max", "20000"),
)


class Hub(Process):
    """`run_hub.py` on ports that stay its own when it is killed and started again."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.node_port = free_port()
        self.http_port = free_port()
        ports = ("--node-port", str(self.node_port), "--http-port", str(self.http_port))
        super().__init__("hub", folder, ["run_hub.py", "--state", str(folder / "hub"), *ports, *arguments])

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def node_url(self) -> str:
        """Where nodes connect."""
        return f"ws://127.0.0.1:{self.node_port}"

    def wait_until_ready(self) -> float:
        """Wait until ``/readyz`` says so; give the time (`time.monotonic`)."""
        return self.wait_for(self._is_ready, "a hub that is ready", READY_WITHIN_S)

    def _is_ready(self) -> bool:
        # A hub that is not ready answers with 503, which the library raises as an error of the same family.
        with contextlib.suppress(OSError), urlopen(f"{self.url}/readyz", timeout=ANSWER_WITHIN_S) as answer:
            return bool(answer.status == 200)
        return False

    def stats(self) -> dict[str, Any]:
        """Give its counts, as ``GET /v1/stats`` does."""
        with urlopen(f"{self.url}/v1/stats", timeout=ANSWER_WITHIN_S) as answer:
            counts: dict[str, Any] = orjson.loads(answer.read())
            return counts


class Node(Process):
    """`run_node.py` with `benchmarks.handlers`."""

    def __init__(self, folder: Path, hub: Hub, slots: int, *arguments: str) -> None:
        self._hub = hub
        command = [
            *("run_node.py", "--hub", hub.node_url, "--node-id", NODE_ID, "--state", str(folder / "node")),
            *("--app", "benchmarks.handlers", "--slots", str(slots), "--log-level", "warning", *arguments),
        ]
        super().__init__("node", folder, command)

    def wait_until_online(self) -> float:
        """Wait until the hub names this process's registration; give the time."""
        return self.wait_for(self._is_online, "a node that is online", READY_WITHIN_S)

    def _is_online(self) -> bool:
        address = f"{self._hub.url}/v1/nodes/{NODE_ID}"
        with contextlib.suppress(OSError), urlopen(address, timeout=ANSWER_WITHIN_S) as answer:
            return bool(orjson.loads(answer.read())["state"] == "online")
        return False


class Installation:
    """One hub and one node that are ready."""

    def __init__(self, folder: Path, hub: Hub, slots: int) -> None:
        self.folder = folder
        self.hub = hub
        self.node = Node(folder, hub, slots)

    def replace_node(self, slots: int, *arguments: str) -> None:
        """End the node, and start another process of the same node with other settings. There must be no other nodes:
        it is the one of which nobody is online, and then somebody is.
        """
        self.node.kill()
        self.node = Node(self.folder, self.hub, slots, *arguments)
        # The old process's session must be gone, or it would be taken for the new one's.
        self.hub.wait_for(lambda: not self.hub.stats()["nodes"].get("online"), "no node online", READY_WITHIN_S)
        self.node.start()
        self.node.wait_until_online()

    def cpu_s(self) -> dict[str, float]:
        """Give the CPU seconds that each process has used so far."""
        return {"hub": self.hub.cpu_s(), "node": self.node.cpu_s()}


@contextlib.contextmanager
def working_folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards, in the checkout: commits go to a real disk and not to memory."""
    parent = ROOT / ".bench"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


@contextlib.contextmanager
def installation(*, slots: int, durability: str = "full", hub_arguments: Sequence[str] = ()) -> Iterator[Installation]:
    """Start one hub and one node; end both."""
    with (
        working_folder() as folder,
        hub_in(folder, "--durability", durability, *hub_arguments) as hub,
        node_of(folder, hub, slots) as whole,
    ):
        yield whole


@contextlib.contextmanager
def hub_in(folder: Path, *arguments: str) -> Iterator[Hub]:
    """Start a hub on what is under ``folder/hub`` and wait until it is ready; end it."""
    hub = Hub(folder, *arguments)
    try:
        hub.start()
        hub.wait_until_ready()
        yield hub
    finally:
        hub.kill()


@contextlib.contextmanager
def node_of(folder: Path, hub: Hub, slots: int) -> Iterator[Installation]:
    """Start a node for a hub and wait until it is online; end it."""
    whole = Installation(folder, hub, slots)
    try:
        whole.node.start()
        whole.node.wait_until_online()
        yield whole
    finally:
        whole.node.kill()


def free_port() -> int:
    """Give a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def conditions() -> dict[str, Any]:
    """Say on what and with what is about to be measured."""
    packages = ("moorline", "websockets", "aiohttp", "orjson", "msgspec", "uvloop")
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "disk_sync_ms": _disk_sync_ms(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {**{name: version(name) for name in packages}, "sqlite": sqlite3.sqlite_version},
    }


def _processor() -> str:
    """Give the name of the processor; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _disk_sync_ms() -> float:
    """Give the median time in which a page reaches the disk: what a commit waits for at least."""
    times_s = []
    with working_folder() as folder, (folder / "page").open("wb", buffering=0) as page:
        for _ in range(SYNCS):
            begun_s = time.perf_counter()
            page.write(bytes(PAGE_BYTES))
            os.fdatasync(page.fileno())
            times_s.append(time.perf_counter() - begun_s)
    return round(statistics.median(times_s) * 1000, 3)


def afterwards(before: Mapping[str, Any]) -> dict[str, Any]:
    """Give the conditions from before, with the load as it is after the measurement."""
    return {**before, "load_after": round(os.getloadavg()[0], 2)}
