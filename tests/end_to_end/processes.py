"""Hubs and nodes as real processes, started as a user starts them, ended by their ids."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Generous: these machines are shared. Nothing waits this long unless it has failed.
PATIENCE_S = 40.0


# Ports that are held at once: those of all hubs of some hundred tests. The oldest are let go.
PORTS_HELD_MAX = 200

_held: deque[socket.socket] = deque()


def free_port() -> int:
    """Give a port that nobody uses; a hub that is to come back on its port needs a fixed one.

    It is held by a socket that does not listen: the system then gives it to no one who asks for any port, while a hub,
    which asks for this one and allows it to be shared so, may listen on it, again and again.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    while len(_held) > PORTS_HELD_MAX:
        _held.popleft().close()
    port: int = holder.getsockname()[1]
    return port


@atexit.register
def _let_ports_go() -> None:
    while _held:
        _held.pop().close()


def until(fact: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.02)


class Process:
    """One process with its standard error kept, so that a failure can be read."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.launcher: list[str] = []
        """What stands before the command: another program that runs it."""
        self.has_terminal = True
        """Whether it keeps the terminal that the tests were started on, if there is one."""
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._reader: threading.Thread | None = None

    @property
    def log(self) -> str:
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.alive
        self._process = subprocess.Popen(
            [sys.executable, *self.launcher, *self._command],
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=not self.has_terminal,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            self._lines.extend(process.stderr)

    def wait_for_line(self, text: str, count: int = 1) -> None:
        until(
            lambda: self.log.count(text) >= count or not self.alive,
            f"{text!r} from {' '.join(self._command[:3])}:\n{self.log[-3000:]}",
        )
        assert self.log.count(text) >= count, self.log[-3000:]

    def arm(self, failpoint: str | None) -> None:
        """Set a failpoint (`protocol.failpoints`) for its next start, or none."""
        self._environment.pop("MOORLINE_FAILPOINT", None)
        if failpoint is not None:
            self._environment["MOORLINE_FAILPOINT"] = failpoint

    def wait_for_death(self, within_s: float = PATIENCE_S) -> None:
        """Wait until it has ended by itself."""
        until(lambda: not self.alive, f"the end of {' '.join(self._command[:3])}:\n{self.log[-3000:]}", within_s)
        self.kill()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it with SIGKILL and wait."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            assert self._reader is not None
            self._reader.join()

    def terminate(self) -> int:
        """End it with SIGTERM; give its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        status = self._process.wait(PATIENCE_S)
        assert self._reader is not None
        self._reader.join()
        return status


class HubProcess(Process):
    """`run_hub.py` on fixed ports."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.node_port = free_port()
        self.http_port = free_port()
        self.state = state
        command = [
            *("run_hub.py", "--state", str(state), "--node-port", str(self.node_port)),
            *("--http-port", str(self.http_port), *arguments),
        ]
        super().__init__(command, {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def node_url(self) -> str:
        return f"ws://127.0.0.1:{self.node_port}"

    def add_arguments(self, *arguments: str) -> None:
        """Give it more arguments for its next start."""
        self._command += arguments

    def begin(self) -> None:
        """Start it; returns at once."""
        super().start()

    def start(self) -> None:
        """Start it; returns when it is ready."""
        ready = self.log.count("hub ready")
        self.begin()
        self.wait_for_line("hub ready", ready + 1)

    def restart(self) -> None:
        self.kill()
        self.start()


class NodeProcess(Process):
    """`run_node.py` with the handlers of `tests.end_to_end.app`."""

    def __init__(self, hub_url: str, state: Path, truth: Path, node_id: str, *arguments: str, slots: int = 8) -> None:
        self.node_id = node_id
        command = [
            *("run_node.py", "--hub", hub_url, "--node-id", node_id, "--state", str(state)),
            *("--app", "tests.end_to_end.app", "--slots", str(slots), *arguments),
        ]
        super().__init__(command, {"MOORLINE_TRUTH_FILE": str(truth)})


class Truth:
    """The ground truth: what really ran, told by nobody but the runs themselves."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> list[dict[str, object]]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def starts(self) -> Counter[tuple[str, int]]:
        return Counter(
            (str(line["task_id"]), int(str(line["attempt"]))) for line in self.lines() if line["event"] == "start"
        )

    def starts_by_task(self) -> Counter[str]:
        """Count the starts of each task, over all its attempts."""
        by_task: Counter[str] = Counter()
        for (task_id, _), count in self.starts().items():
            by_task[task_id] += count
        return by_task

    def starts_of(self, task_id: str) -> int:
        return sum(count for (name, _), count in self.starts().items() if name == task_id)

    def twice(self) -> list[tuple[str, int]]:
        """Attempts that started more than once: never allowed."""
        return [key for key, count in self.starts().items() if count > 1]


class Fleet:
    """One hub and its nodes in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = Truth(folder / "truth.ndjson")
        self.hub = HubProcess(folder / "hub", "--heartbeat-s", "1")
        self.nodes: list[NodeProcess] = []

    def add_node(
        self,
        node_id: str,
        *arguments: str,
        slots: int = 8,
        failpoint: str | None = None,
        launcher: Sequence[str] = (),
    ) -> NodeProcess:
        node = NodeProcess(
            self.hub.node_url,
            self.folder / node_id,
            self.folder / "truth.ndjson",
            node_id,
            *arguments,
            slots=slots,
        )
        self.nodes.append(node)
        node.arm(failpoint)
        node.launcher = list(launcher)
        node.start()
        return node

    def node(self, node_id: str) -> NodeProcess:
        """Give a node by its id."""
        return next(node for node in self.nodes if node.node_id == node_id)

    def end(self) -> None:
        for process in [*self.nodes, self.hub]:
            if process.alive:
                # A stopped process takes no other signal.
                process.signal(signal.SIGCONT)
            process.kill()


@contextlib.contextmanager
def fleet_in(folder: Path) -> Iterator[Fleet]:
    fleet = Fleet(folder)
    try:
        yield fleet
    finally:
        fleet.end()
