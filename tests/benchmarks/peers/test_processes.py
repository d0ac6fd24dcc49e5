from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.peers.processes import Program, ProgramError, free_port, running, wait_for_port

PATIENCE_S = 30.0


def until(fact: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def python(text: str) -> list[str]:
    return [sys.executable, "-u", "-c", text]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_program_and_what_it_started_are_ended(tmp_path: Path) -> None:
    text = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid)
time.sleep(600)
"""
    with running("parent", python(text), tmp_path) as program:
        until(program.output.read_text, "the child's id")
        child = int(program.output.read_text())
        assert is_alive(child)
    assert program.has_ended
    until(lambda: not is_alive(child), "the child's end")


def test_a_program_that_does_not_listen_to_signals_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.processes.LEAVES_WITHIN_S", 0.2)
    text = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(600)"
    with running("stubborn", python(text), tmp_path) as program:
        until(program.output.read_text, "a start")
    assert program.has_ended


def test_a_program_that_ends_with_its_input_is_given_the_time_to(tmp_path: Path) -> None:
    text = f"""
import signal, sys
signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN)
print("started")
sys.stdin.read()
print("tidied")
"""
    with running("tidy", python(text), tmp_path) as program:
        until(program.output.read_text, "a start")
    assert program.output.read_text().split() == ["started", "tidied"]


def test_a_program_that_takes_too_long_is_told_of(tmp_path: Path) -> None:
    with (
        running("slow", python("import time; time.sleep(600)"), tmp_path) as program,
        pytest.raises(ProgramError, match="slow took more than 0 s"),
    ):
        program.finish(0.01)


def test_only_the_last_words_are_repeated(tmp_path: Path) -> None:
    with (
        running("wordy", python("raise SystemExit('x' * 100_000 + 'end')"), tmp_path) as program,
        pytest.raises(ProgramError, match=r"xend$") as caught,
    ):
        program.finish(PATIENCE_S)
    assert len(str(caught.value)) < 1000


def test_a_port_is_waited_for_until_somebody_listens(tmp_path: Path) -> None:
    port = free_port()
    text = f"""
import socket, time
with socket.create_server(("127.0.0.1", {port})):
    time.sleep(600)
"""
    with running("listener", python(text), tmp_path) as program:
        wait_for_port(port, program)
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_port_on_which_nobody_listens_is_given_up(tmp_path: Path) -> None:
    with (
        running("mute", python("import time; time.sleep(600)"), tmp_path) as program,
        pytest.raises(ProgramError, match="mute did not listen within 0 s"),
    ):
        wait_for_port(free_port(), program, within_s=0.05)


def test_programs_run_in_a_group_of_their_own(tmp_path: Path) -> None:
    program = Program("alone", python("import os; print(os.getpgid(0))"), tmp_path)
    try:
        program.finish(PATIENCE_S)
        assert int(program.output.read_text()) != os.getpgid(0)
    finally:
        program.end()
