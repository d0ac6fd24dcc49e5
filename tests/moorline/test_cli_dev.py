from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from moorline import dev as module
from moorline.cli import cli
from moorline.dev import Plan, Supervisor, describe_end, show_line
from moorline.failures import ExitCode

# Stands for `moorline`: a hub that is ready at once, nodes that say what they were told. Both end when asked to, unless
# the name of the state folder says otherwise.
PROGRAM = """
import signal, sys, time
command, arguments = sys.argv[1], sys.argv[2:]
state = arguments[arguments.index("--state") + 1]
def end(number, frame):
    print(command, "ends", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in state else end)
if "broken" in state:
    sys.exit("cannot start")
if command == "hub":
    print("hub ready: nodes ws://h:1 http http://h:2 id x", file=sys.stderr, flush=True)
else:
    print("args", *arguments, flush=True)
if command == "node" and "brief" in state:
    sys.exit(3)
if command == "node" and "refused" in state:
    sys.exit(2)
while True:
    signal.pause()
"""


class Transcript:
    """What was shown; wait for a line with `until`."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def show(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        self._changed.set()

    async def until(self, name: str, words: str, count: int = 1) -> None:
        async with asyncio.timeout(30):
            while sum(said == name and words in line for said, line in self.lines) < count:
                self._changed.clear()
                await self._changed.wait()

    def place(self, name: str, words: str) -> int:
        return next(place for place, (said, line) in enumerate(self.lines) if said == name and words in line)


def plan(folder: Path, **changes: object) -> Plan:
    settings: dict[str, object] = {
        "program": (sys.executable, "-c", PROGRAM), "nodes": 2, "apps": ("tasks.py",), "slots": 3,
        "node_port": 0, "http_port": 0, "folder": folder,
    }  # fmt: skip
    return Plan(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def transcript() -> Transcript:
    return Transcript()


async def test_ctrl_c_ends_the_nodes_and_then_the_hub(tmp_path: Path, transcript: Transcript) -> None:
    running = asyncio.create_task(Supervisor(plan(tmp_path), transcript.show).run())
    await transcript.until("dev", "hub at http://h:2, 2 nodes")
    await transcript.until("dev-1", "--hub ws://h:1 --node-id dev-1")
    await transcript.until("dev-2", "--app tasks.py --slots 3")
    os.kill(os.getpid(), signal.SIGINT)
    assert await running is ExitCode.OK
    ends = [transcript.place("dev-1", "ends"), transcript.place("dev-2", "ends")]
    assert max(ends) < transcript.place("hub", "ends")


async def test_a_child_that_dies_is_reported_and_the_others_go_on(tmp_path: Path, transcript: Transcript) -> None:
    running = asyncio.create_task(Supervisor(plan(tmp_path / "brief"), transcript.show).run())
    await transcript.until("dev", "ended with status 3; the others go on", count=2)
    assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.OK


async def test_a_hub_that_cannot_start_ends_it(tmp_path: Path, transcript: Transcript) -> None:
    assert await Supervisor(plan(tmp_path / "broken"), transcript.show).run() is ExitCode.FAILED
    assert ("hub", "cannot start") in transcript.lines
    assert ("dev", "hub ended with status 1") in transcript.lines


async def test_nodes_that_all_refuse_their_settings_end_it(tmp_path: Path, transcript: Transcript) -> None:
    async with asyncio.timeout(30):
        assert await Supervisor(plan(tmp_path / "refused"), transcript.show).run() is ExitCode.FAILED
    no_node = transcript.place("dev", "no node could start")
    assert no_node < transcript.place("hub", "ends")


async def test_a_hub_that_is_never_ready_ends_it(
    tmp_path: Path, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_WITHIN_S", 0.2)
    silent = (sys.executable, "-c", "import time; time.sleep(60)")
    assert await Supervisor(plan(tmp_path, program=silent), transcript.show).run() is ExitCode.FAILED
    assert transcript.lines == [("dev", "the hub was not ready within 0 s")]


async def test_when_nothing_is_left_it_ends(tmp_path: Path, transcript: Transcript) -> None:
    short = (sys.executable, "-c", "print('hub ready: nodes ws://h:1 http http://h:2 id x')")
    assert await Supervisor(plan(tmp_path, program=short), transcript.show).run() is ExitCode.FAILED
    assert sum("ended with status 0" in line for _, line in transcript.lines) == 3


async def test_what_does_not_end_in_time_is_killed(
    tmp_path: Path, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NODES_END_WITHIN_S", 0.1)
    monkeypatch.setattr(module, "HUB_ENDS_WITHIN_S", 0.1)
    running = asyncio.create_task(Supervisor(plan(tmp_path / "stubborn", nodes=1), transcript.show).run())
    await transcript.until("dev-1", "args")
    os.kill(os.getpid(), signal.SIGINT)
    assert await running is ExitCode.OK
    transcript.place("dev", "dev-1 has not ended")
    transcript.place("dev", "hub has not ended")


async def test_asked_a_second_time_it_kills_at_once(tmp_path: Path, transcript: Transcript) -> None:
    running = asyncio.create_task(Supervisor(plan(tmp_path / "stubborn"), transcript.show).run())
    await transcript.until("dev-2", "args")
    os.kill(os.getpid(), signal.SIGINT)
    await transcript.until("dev", "ending")
    os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(10):
        assert await running is ExitCode.OK


async def test_when_nobody_reads_any_more_it_ends(tmp_path: Path) -> None:
    def show(name: str, line: str) -> None:
        raise BrokenPipeError

    assert await Supervisor(plan(tmp_path), show).run() is ExitCode.OK


async def test_lines_without_an_end_are_cut(tmp_path: Path, transcript: Transcript) -> None:
    script = "import sys; sys.stdout.write('x' * 200_000 + '\\nlast')"
    await Supervisor(plan(tmp_path, program=(sys.executable, "-c", script)), transcript.show).run()
    said = [line for name, line in transcript.lines if name == "hub"]
    assert sum(map(len, said)) == 200_004
    assert said[-1] == "last"
    assert max(map(len, said)) <= 2 * module.LINE_BYTES_MAX


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "ended with status 0"), (-9, "was ended by SIGKILL"), (-11, "was ended by SIGSEGV"), (-200, "by signal 200")],
)
def test_an_end_is_described(status: int, words: str) -> None:
    assert words in describe_end("hub", status)


def test_each_line_stands_behind_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    show_line(5, "hub", "ready  ")
    show_line(5, "dev", "x")
    assert capsys.readouterr().out == "hub   │ ready\ndev   │ x\n"


def test_a_plan_without_slots_leaves_them_to_the_settings(tmp_path: Path) -> None:
    assert "--slots" not in plan(tmp_path, slots=None).node_command(1, "ws://h")


def test_the_command_passes_the_settings_file_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []

    async def note(plan: Plan, show: object) -> ExitCode:
        plans.append(plan)
        return ExitCode.OK

    monkeypatch.setattr(module, "_run", note)
    file = tmp_path / "x.toml"
    file.write_text("")
    assert CliRunner().invoke(cli, ["--config", str(file), "dev", "--nodes", "3"]).exit_code == 0
    assert CliRunner().invoke(cli, ["dev"]).exit_code == 0
    assert plans[0].program[1:] == ("-m", "moorline.cli", "--config", str(file))
    assert (plans[0].nodes, plans[1].program[1:]) == (3, ("-m", "moorline.cli"))
