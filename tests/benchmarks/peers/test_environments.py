from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.peers.environments import UnavailableError, interpreter, redis_server, versions


def test_without_packages_a_peer_runs_with_our_own_interpreter() -> None:
    assert interpreter("", ()) == sys.executable


def test_packages_that_cannot_be_had_are_told_of_and_not_taken_for_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.environments.FOLDER", tmp_path)
    # A file that is not there asks no registry.
    with pytest.raises(UnavailableError, match="cannot install"):
        interpreter("nobody", (str(tmp_path / "absent.whl"),))
    assert not (tmp_path / "nobody" / "installed.txt").exists()


def test_an_environment_that_has_what_is_wanted_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.environments.FOLDER", tmp_path)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "installed.txt").write_text("one==1\ntwo==2")
    assert interpreter("made", ("one==1", "two==2")) == str(tmp_path / "made" / "bin" / "python")


def test_versions_are_told_by_name_without_pins_and_extras() -> None:
    assert versions(sys.executable, ("pytest==0", "coverage[toml]==0", "absent-package==1")).keys() == {
        "pytest",
        "coverage",
    }


def test_a_server_that_may_not_be_installed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UnavailableError, match="redis-server is not installed"):
        redis_server()
