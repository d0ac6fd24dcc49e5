from __future__ import annotations

import json
from pathlib import Path

from benchmarks.peers.record import conditions, load_between, read, write
from tests.benchmarks.peers.comparisons import record


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = record(moorline=[100, 300], nats=[50, 100])
    made.entries[1].failures[3] = "it broke"
    made.entries[1].left_out = "no server"
    write(made, tmp_path / "results" / "peers.json")
    assert read(tmp_path / "results" / "peers.json") == made


def test_the_file_has_the_summary_and_the_targets_for_readers_who_want_no_arithmetic(tmp_path: Path) -> None:
    write(record(moorline=[100, 300], nats=[50, 100]), tmp_path / "peers.json")
    told = json.loads((tmp_path / "peers.json").read_text())
    assert told["summary"]["nats"]["tasks_per_s"]["median"] == 75
    assert told["summary"]["nats"]["tasks_per_s"]["moorline_ratio"]["median"] == 2.5
    nats, jetstream = told["targets"][:2]
    assert (nats["peer"], nats["ratio"], nats["met"]) == ("nats", 2.5, True)
    assert (jetstream["peer"], jetstream["ratio"], jetstream["met"]) == ("jetstream", None, False)


def test_conditions_say_on_what_is_measured() -> None:
    told = conditions()
    assert told["cores"]
    assert {"cpu", "memory_gib", "kernel", "python", "load_at_start"} <= told.keys()


def test_a_record_without_rounds_has_no_load() -> None:
    assert load_between(record(nats=[])) == (0, 0)
