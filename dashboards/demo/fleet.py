"""The hub and the nodes of the demo: processes of their own, started by the command line that users type."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import moorline
from dashboards.demo.processes import ManagedProcess, free_ports

# A cold start on a slow disk; it takes half a second on a warm one.
READY_WITHIN_S = 20.0
READY_WORDS = "hub ready"


class Fleet:
    """One hub and some nodes in one folder, up between enter and exit. Nothing of it outlives the exit."""

    def __init__(self, folder: Path, *, nodes: int, slots: int) -> None:
        self.folder = folder
        self.slots = slots
        self.truth_path = folder / "truth.ndjson"
        node_port, http_port = free_ports(2)
        self.url = f"http://127.0.0.1:{http_port}"
        self.hub = self._make_process(
            "hub", "hub", "--node-port", str(node_port), "--http-port", str(http_port), "--state", str(folder / "hub")
        )
        self.nodes = {
            name: self._make_process(
                name,
                *("node", "--hub", f"ws://127.0.0.1:{node_port}", "--node-id", name, "--slots", str(slots)),
                *("--app", "examples.diagnosis", "--state", str(folder / name)),
            )
            for name in (f"node-{number}" for number in range(1, nodes + 1))
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                # Nodes first: they say goodbye to a hub that is there.
                await asyncio.gather(*(node.stop() for node in self.nodes.values()))
                await self.hub.stop()
        finally:
            for process in (self.hub, *self.nodes.values()):
                process.kill_now()
            await asyncio.gather(*(process.kill() for process in (self.hub, *self.nodes.values())))

    async def start_hub(self) -> None:
        """Start the hub; returns when it says that it is ready.

        Raises:
            ProcessDiedError: it ended.
            ProcessTooSlowError: it did not become ready.
        """
        await self.hub.start()
        await self.hub.wait_for_words(READY_WORDS, READY_WITHIN_S)

    def _make_process(self, name: str, *arguments: str) -> ManagedProcess:
        return ManagedProcess(
            name,
            [sys.executable, "-m", "moorline.cli", *arguments],
            folder=self.folder,
            log_path=self.folder / f"{name}.log",
            environment=environment(self.truth_path),
        )


def environment(truth_path: Path) -> dict[str, str]:
    """Give the environment of the processes: the user's own settings for Moorline are none of the demo's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOORLINE_")}
    # A checkout that is not installed finds its packages too.
    root = str(Path(moorline.__file__).parent.parent)
    paths = [root, *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "MOORLINE_TRUTH_FILE": str(truth_path)}
