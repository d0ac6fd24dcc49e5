from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from dashboards.demo import show
from dashboards.installation.processes import ProcessDiedError
from moorline import HubUnavailableError

DIED = ProcessDiedError("node-2", 3, "the disk is full")


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    async def fail(*arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(show, "perform", fail)
    return show.show(tasks=60, seconds_max=20, keep=False, plain=True, as_json=True, svg=None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DIED, "node-2 ended with status 3"),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [DIED])]), "the disk is full"),
        (ExceptionGroup("tasks", [HubUnavailableError("no hub within 60 s")]), "no hub within 60 s"),
    ],
)
def test_what_ends_it_early_is_said_in_one_message(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    with pytest.raises(click.ClickException, match=words):
        run(monkeypatch, error)


def test_a_bug_is_shown_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExceptionGroup, match="tasks"):
        run(monkeypatch, ExceptionGroup("tasks", [DIED, ZeroDivisionError()]))


def test_the_folder_is_gone_whatever_happened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(monkeypatch, KeyboardInterrupt()) == 130
    assert list(tmp_path.iterdir()) == []
    assert "interrupted" in capsys.readouterr().err
