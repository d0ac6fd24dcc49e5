from __future__ import annotations

from pathlib import Path

from dashboards.installation.truth_file import TruthFile

LINE = '{"task_id":"t%d","attempt":1,"instance":"i","node":"n","event":"start","at":1.0}\n'


def test_a_file_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    assert TruthFile(tmp_path / "none").read_new() == []


def test_only_what_is_new_is_given_and_half_a_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    truth = TruthFile(path)
    path.write_text(LINE % 1 + (LINE % 2)[:20])
    assert [line.task_id for line in truth.read_new()] == ["t1"]
    assert truth.read_new() == []
    with path.open("a") as file:
        file.write((LINE % 2)[20:] + LINE % 3)
    assert [line.task_id for line in truth.read_new()] == ["t2", "t3"]
    assert len(truth.lines) == 3


def test_lines_that_make_no_sense_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    path.write_bytes(b"nonsense\n\xff\n" + (LINE % 1).encode())
    truth = TruthFile(path)
    assert len(truth.read_new()) == 1
    assert truth.unreadable_lines == 2
