from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from moorline.progress_bar import progress_bar
from moorline.testing import LocalClient
from tests.moorline.sample_tasks import echo


def test_the_bar_counts_what_is_done() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with progress_bar("checks[red]", 3, console=console) as advance:
        advance()
        advance()
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "checks[red]" in shown
    assert "2/3" in shown


def test_without_a_bar_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("checks", 3, is_shown=False) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


async def test_map_shows_a_bar_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    async with LocalClient() as client:
        assert [value async for value in client.map(echo, [1, 2], progress=True)] == [1, 2]
        assert [value async for value in client.map(echo, iter([3]), progress=True)] == [3]
    assert "rich" in sys.modules
    assert "2/2" in capsys.readouterr().err
