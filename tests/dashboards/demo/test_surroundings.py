from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.demo import surroundings
from dashboards.demo.services import Ports
from dashboards.demo.surroundings import look_around

PORTS = Ports(http=1, tcp=2, closed=3, tls=None, ca_path=None)


def test_there_is_something_to_look_at_on_every_machine() -> None:
    around = look_around(PORTS)
    assert 0 < len(around.code_folders) <= 24
    assert all(Path(folder).is_dir() for folder in (*around.code_folders, *around.log_folders))
    assert around.ca_path is None


def test_folders_that_are_empty_or_too_large_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("empty", 0), ("fit", 3), ("large", 30)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / str(number)).touch()
    (tmp_path / "link").symlink_to(tmp_path / "fit")
    monkeypatch.setattr(surroundings, "FOLDER_ENTRIES_MAX", 10)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    around = look_around(PORTS)
    assert str(tmp_path / "fit") in around.code_folders
    assert not {str(tmp_path / name) for name in ("empty", "large", "link")} & set(around.code_folders)
