"""The file that says which handlers really ran."""

from __future__ import annotations

import json
from pathlib import Path

from node.truth import VARIABLE, Truth


def test_starts_and_ends_are_lines_of_json_behind_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    path.write_text('{"old":1}\n')
    truth = Truth("n", "i", {VARIABLE: str(path)})
    truth.note(("t", 2), "start")
    truth.note(("t", 2), "end")
    truth.close()
    truth.close()
    truth.note(("t", 2), "end")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"old": 1}
    assert [line.pop("at") > 0 for line in lines[1:]] == [True, True]
    wanted = {"task_id": "t", "attempt": 2, "instance": "i", "node": "n"}
    assert lines[1:] == [{**wanted, "event": "start"}, {**wanted, "event": "end"}]


def test_without_the_variable_nothing_is_noted() -> None:
    truth = Truth("n", "i", {})
    truth.note(("t", 1), "start")
    truth.close()
