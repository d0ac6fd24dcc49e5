"""One process of a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.process import Process, until

WITHIN_S = 30.0


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    speaker = "import sys, time; print(sys.argv[1], flush=True); time.sleep(60)"
    made = Process("speaker", tmp_path, ["-c", speaker])
    yield made
    made.kill()


def test_a_process_is_started_again_with_other_arguments_and_its_lines_are_kept(process: Process) -> None:
    process.start("first")
    process.wait_for(lambda: process.lines() == [b"first"], "its word", WITHIN_S)
    process.kill()
    process.start("second")
    process.wait_for(lambda: process.lines() == [b"first", b"second"], "its second word", WITHIN_S)
    assert process.memory_kib() > 0
    assert process.cpu_s() >= 0


def test_a_process_that_ended_is_told_with_what_it_said(tmp_path: Path) -> None:
    process = Process("broken", tmp_path, ["-c", "raise SystemExit('no such thing')"])
    process.start()
    with pytest.raises(RuntimeError, match="no such thing"):
        process.wait_for(lambda: False, "something", WITHIN_S)
    process.kill()


def test_a_fact_that_does_not_come_true_in_time_is_an_error() -> None:
    with pytest.raises(TimeoutError, match="pigs that fly"):
        until(lambda: False, "pigs that fly", 0.01)
