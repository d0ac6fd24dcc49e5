"""Two thousand seeds, clean: in four parts, so that they spread over processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SEEDS = 2_000
PARTS = 4

# A seed takes some 40 ms; a machine that is shared by everybody may take ten times as long.
WITHIN_S = 400


@pytest.mark.timeout(WITHIN_S + 10)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_holds_in_every_seed(part: int) -> None:
    count = SEEDS // PARTS
    command = ["-m", "tests.simulation", "--seeds", str(count), "--first", str(part * count), "--jobs", "1"]
    # In a process of its own, that coverage does not follow: it would take twice as long, and show nothing new.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert f"{count} seeds" in ended.stdout
