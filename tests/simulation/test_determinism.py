"""The same seed takes the same steps, whatever process runs it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.agenda import Agenda
from tests.simulation.plan import plan_of
from tests.simulation.runner import Bench

ROOT = Path(__file__).parents[2]

# One seed of each kind is among the first of these.
SEEDS = range(12)


def trace_in_another_process(seed: int, hash_seed: str) -> str:
    """Run one seed with a hash seed of its own, and give the digest of its trace."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--verbose"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        timeout=100,
    )
    assert done.stdout.count(b"\n") > 20
    return hashlib.sha256(done.stdout).hexdigest()


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_a_seed_gives_the_same_trace_byte_for_byte_in_another_process(seed: int) -> None:
    assert trace_in_another_process(seed, "1") == trace_in_another_process(seed, "4242")


def test_keeping_a_trace_changes_nothing() -> None:
    with Bench() as bench:
        for seed in SEEDS:
            silent, traced = bench.run(seed), bench.run(seed, is_traced=True)
            assert (silent.promise, silent.what) == (traced.promise, traced.what)
            assert not silent.trace
            assert traced.trace


def test_a_seed_is_written_out_the_same_each_time() -> None:
    assert [plan_of(seed) for seed in SEEDS] == [plan_of(seed) for seed in SEEDS]


def test_what_is_due_at_once_is_done_in_the_order_in_which_it_was_asked() -> None:
    agenda = Agenda()
    done: list[str] = []
    agenda.at(2.0, lambda: done.append("late"))
    agenda.at(1.0, lambda: done.append("first"))
    agenda.at(1.0, lambda: done.append("second"))
    agenda.run_until(3.0)
    assert done == ["first", "second", "late"]
    assert agenda.now_s == 3.0
