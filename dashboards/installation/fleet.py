"""A hub and its nodes: processes of their own, started by the command line that users type."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import moorline
from dashboards.installation.processes import ManagedProcess, held_ports

READY_WORDS: Final = "hub ready"


class Fleet:
    """One hub and its nodes in one folder, up between enter and exit. Nothing of it outlives the exit.

    Args:
        folder: where state, logs and the truth file are.
        ready_within_s: how long the hub may take to start.
        hub_arguments: what the hub is told beyond where it listens and where its state is.
    """

    def __init__(self, folder: Path, *, ready_within_s: float, hub_arguments: Sequence[str] = ()) -> None:
        self.folder = folder
        self.truth_path = folder / "truth.ndjson"
        self._ports = contextlib.ExitStack()
        self.node_port, http_port = self._ports.enter_context(held_ports(2))
        self.url = f"http://127.0.0.1:{http_port}"
        self.hub = self._make_process(
            *("hub", "hub", "--node-port", str(self.node_port), "--http-port", str(http_port)),
            *("--state", str(folder / "hub"), "--log-format", "human", *hub_arguments),
        )
        self.nodes: dict[str, ManagedProcess] = {}
        self._ready_within_s = ready_within_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        processes = (self.hub, *self.nodes.values())
        try:
            if error is None:
                # Nodes first: they say goodbye to a hub that is there.
                await asyncio.gather(*(node.stop() for node in self.nodes.values()))
                await self.hub.stop()
        finally:
            for process in processes:
                process.kill_now()
            await asyncio.gather(*(process.kill() for process in processes))
            self._ports.close()

    async def start_hub(self) -> None:
        """Start the hub; returns when it says that it is ready.

        Raises:
            ProcessDiedError: it ended.
            ProcessTooSlowError: it did not become ready.
        """
        await self.hub.start()
        await self.hub.wait_for_words(READY_WORDS, self._ready_within_s)

    def add_node(self, node_id: str, *, app: str, slots: int, hub_url: str | None = None) -> ManagedProcess:
        """Add a node, to be started by whoever wants it; with ``hub_url`` it dials that and not the hub itself."""
        self.nodes[node_id] = self._make_process(
            *(node_id, "node", "--hub", hub_url or f"ws://127.0.0.1:{self.node_port}", "--node-id", node_id),
            *("--slots", str(slots), "--app", app, "--state", str(self.folder / node_id), "--log-format", "human"),
        )
        return self.nodes[node_id]

    def _make_process(self, name: str, *arguments: str) -> ManagedProcess:
        return ManagedProcess(
            name,
            [sys.executable, "-m", "moorline.cli", *arguments],
            folder=self.folder,
            log_path=self.folder / f"{name}.log",
            environment=environment(self.truth_path),
        )


def environment(truth_path: Path) -> dict[str, str]:
    """Give the environment of the processes: the user's own settings for Moorline are none of theirs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOORLINE_")}
    # A checkout that is not installed finds its packages too.
    root = str(Path(moorline.__file__).parent.parent)
    paths = [root, *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "MOORLINE_TRUTH_FILE": str(truth_path)}
