from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.chaos.processes import pause, resume, size_of

WITHIN_S = 20.0
# Counts up in a file, itself and in a child.
COUNTING = """
import pathlib, subprocess, sys, time
if len(sys.argv) == 3:
    subprocess.Popen([sys.executable, *sys.orig_argv[1:-1]], start_new_session=True)
path = pathlib.Path(sys.argv[1] + ("" if len(sys.argv) == 3 else ".child"))
number = 0
while pathlib.Path(sys.argv[1] + ".go").exists():
    number += 1
    path.write_text(str(number))
    time.sleep(0.01)
"""


def until(fact) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not fact():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def count(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text())
    return 0


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[tuple[int, Path, Path]]:
    """A process that counts in a file, and its child, in a session of its own, that does so too."""
    path = tmp_path / "count"
    go = tmp_path / "count.go"
    go.touch()
    process = subprocess.Popen([sys.executable, "-c", COUNTING, str(path), "parent"])
    child = tmp_path / "count.child"
    try:
        until(lambda: count(path) and count(child))
        yield process.pid, path, child
    finally:
        resume(process.pid)
        go.unlink()
        process.wait(WITHIN_S)


def test_a_paused_process_stands_still_with_all_below_it_and_goes_on(counter: tuple[int, Path, Path]) -> None:
    pid, path, child = counter
    pause(pid)
    for name in (path, child):
        # What was on its way into the kernel may still come; after that nothing does.
        until(lambda name=name: _is_still(name))
    resume(pid)
    for name in (path, child):
        stood_at = count(name)
        until(lambda name=name, stood_at=stood_at: count(name) > stood_at)


def _is_still(path: Path) -> bool:
    before = path.read_bytes()
    time.sleep(0.1)
    return before == path.read_bytes()


def test_the_size_of_this_process_can_be_read() -> None:
    size = size_of(os.getpid())
    assert size is not None
    assert size.memory_bytes > 1 << 20
    assert size.open_files > 2


def test_a_process_that_is_gone_has_no_size_and_is_let_be() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(WITHIN_S)
    assert size_of(process.pid) is None
    pause(process.pid)
    resume(process.pid)
