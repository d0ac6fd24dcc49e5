"""When a crowd is in."""

from __future__ import annotations

from pathlib import Path

from benchmarks.crowd import Entrance, first_since
from benchmarks.process import Process

WITHIN_S = 30.0


def test_an_entrance_from_before_the_time_that_is_asked_for_does_not_count(tmp_path: Path) -> None:
    lines = [f'{{"all_in_s":{at_s},"dials":3,"failures":1}}' for at_s in (10.0, 20.0, 30.0)]
    process = Process(
        "crowd", tmp_path, ["-c", f"print(*{lines!r}, sep='\\n', flush=True); import time; time.sleep(60)"]
    )
    try:
        process.start()
        process.wait_for(lambda: len(process.lines()) == 3, "three lines", WITHIN_S)
        assert first_since(process, 0.0) == Entrance(all_in_s=10.0, dials=3, failures=1)
        assert first_since(process, 10.0) == Entrance(all_in_s=20.0, dials=3, failures=1)
        assert first_since(process, 30.0) is None
    finally:
        process.kill()
