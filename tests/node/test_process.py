"""A node as users run it: ``python run_node.py``, with real signals."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol import frames
from tests.node import handlers
from tests.node.fake_hub import PATIENCE_S, FakeHub, task
from tests.waiting import until

ROOT = Path(__file__).parents[2]


class Process:
    """A node's process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def end(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            assert self.process.stderr is not None
            self.said += (await self.process.stderr.read()).decode()
            return await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextlib.asynccontextmanager
async def node(hub: FakeHub, folder: Path, *options: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "run_node.py"),
        *("--hub", hub.url, "--node-id", "n1", "--state", str(folder / "state"), "--slots", "2"),
        *("--app", handlers.__name__, *options),
        cwd=ROOT,
        env={**os.environ, "MOORLINE_TRUTH_FILE": str(folder / "truth")},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with FakeHub() as hub:
        yield hub


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_drains_and_the_process_ends_with_0(
    hub: FakeHub, tmp_path: Path, number: signal.Signals
) -> None:
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "block", payload={"seconds": 0.2}))
        await until(lambda: (tmp_path / "truth").exists() and "start" in (tmp_path / "truth").read_text())
        process.signal(number)
        assert (await peer.expect(frames.Drain)).reason == number.name
        result = await peer.expect(frames.Result)
        assert result.outcome == "succeeded"
        await peer.send(frames.Ack(attempts=[("a", 1)]))
        await peer.expect(frames.Bye)
        await peer.socket.close(1000, "bye")
        assert await process.end() == 0
    assert "connected to hub hub" in process.said
    assert "drained" in process.said
    truth = [json.loads(line) for line in (tmp_path / "truth").read_text().splitlines()]
    assert [(line["task_id"], line["attempt"], line["event"], line["node"]) for line in truth] == [
        ("a", 1, "start", "n1"),
        ("a", 1, "end", "n1"),
    ]


async def test_a_second_signal_stops_what_runs(hub: FakeHub, tmp_path: Path) -> None:
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        await peer.welcome()
        began = tmp_path / "began"
        await peer.send(task("a", "sleep_async", payload={"began": str(began)}))
        await until(began.exists)
        process.signal(signal.SIGTERM)
        await peer.expect(frames.Drain)
        process.signal(signal.SIGTERM)
        result = await peer.expect(frames.Result)
        assert result.outcome == "cancelled"
        await peer.send(frames.Ack(attempts=[("a", 1)]))
        await peer.expect(frames.Bye)
        await peer.socket.close(1000, "bye")
        assert await process.end() == 0


async def test_a_thread_that_user_code_left_running_does_not_keep_a_node_that_has_ended(
    hub: FakeHub, tmp_path: Path
) -> None:
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        await peer.welcome()
        began = tmp_path / "began"
        await peer.send(task("a", "block_in_a_thread", payload={"seconds": 600, "began": str(began)}))
        await until(began.exists)
        process.signal(signal.SIGTERM)
        await peer.expect(frames.Drain)
        process.signal(signal.SIGTERM)
        assert (await peer.expect(frames.Result)).outcome == "cancelled"
        await peer.send(frames.Ack(attempts=[("a", 1)]))
        await peer.expect(frames.Bye)
        await peer.socket.close(1000, "bye")
        assert await process.end() == 0
        assert "the process ends without them" in process.said


async def test_a_signal_that_another_thread_takes_drains_all_the_same(hub: FakeHub, tmp_path: Path) -> None:
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        await peer.welcome()
        pid = process.process.pid
        others = {int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()} - {pid}
        assert ctypes.CDLL(None).tgkill(pid, others.pop(), int(signal.SIGTERM)) == 0
        await peer.expect(frames.Drain)


async def test_a_killed_node_leaves_its_results_to_the_next(hub: FakeHub, tmp_path: Path) -> None:
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        first = await peer.welcome()
        await peer.send(task("a", "echo", payload={"value": "kept"}))
        await peer.expect(frames.Result)
        process.signal(signal.SIGKILL)
        await process.end()
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        second = await peer.welcome()
        assert isinstance(second, frames.Register)
        assert second.predecessors == [first.instance_id]
        assert second.inventory == frames.Inventory(results=[("a", 1)])
        result = await peer.expect(frames.Result)
        assert bytes(result.value) == b'"kept"'  # type: ignore[arg-type]


async def test_a_node_that_stood_still_past_a_lease_stops_its_attempt_before_it_says_anything(
    hub: FakeHub, tmp_path: Path
) -> None:
    async with node(hub, tmp_path) as process:
        peer = await hub.peer()
        await peer.welcome(heartbeat_s=60.0)
        peer.acks_heartbeats = False
        began = tmp_path / "began"
        await peer.send(task("a", "sleep_async", lease_s=1.0, payload={"began": str(began)}))
        await until(began.exists)
        process.signal(signal.SIGSTOP)
        # Nothing tells that time has passed but time.
        await asyncio.sleep(1.1)
        process.signal(signal.SIGCONT)
        frame = await peer.next()
        while isinstance(frame, frames.Heartbeat):
            frame = await peer.next()
        assert isinstance(frame, frames.Result)
        assert frame.outcome == "cancelled"


async def test_a_second_process_on_the_state_folder_says_who_holds_it(hub: FakeHub, tmp_path: Path) -> None:
    async with node(hub, tmp_path) as first:
        await (await hub.peer()).welcome()
        async with node(hub, tmp_path) as second:
            assert await second.end() == 6
        assert f"in use by process {first.process.pid}" in second.said
        assert "Traceback" not in second.said
