from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from dashboards.demo.screen import LiveScreen, NoScreen, PlainScreen, choose_screen, save_svg
from dashboards.demo.snapshot import Happening
from tests.dashboards.demo.test_picture import BUSY, DONE


def console_on(terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=terminal, width=80, height=24, _environ={"TERM": "xterm"}), stream


def test_the_screen_fits_where_the_output_goes() -> None:
    terminal, _ = console_on(terminal=True)
    pipe, _ = console_on(terminal=False)
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(choose_screen(terminal, plain=False, nothing=False), LiveScreen)
    assert isinstance(choose_screen(terminal, plain=True, nothing=False), PlainScreen)
    assert isinstance(choose_screen(pipe, plain=False, nothing=False), PlainScreen)
    assert isinstance(choose_screen(dumb, plain=False, nothing=False), PlainScreen)
    assert isinstance(choose_screen(terminal, plain=False, nothing=True), NoScreen)


def test_the_live_picture_is_drawn_and_the_last_one_stays() -> None:
    console, stream = console_on(terminal=True)
    with LiveScreen(console) as screen:
        screen.show(BUSY)
        screen.show(DONE)
    assert "Nothing was lost" in stream.getvalue()


def test_plain_lines_tell_each_thing_once_and_give_signs_of_life() -> None:
    console, stream = console_on(terminal=False)
    first = dataclasses.replace(BUSY, elapsed_s=1.0, happenings=(Happening(elapsed_s=1.0, text="hub killed"),))
    with PlainScreen(console) as screen:
        screen.show(first)
        screen.show(dataclasses.replace(first, elapsed_s=2.0))
        screen.show(dataclasses.replace(first, elapsed_s=6.5))
        done = dataclasses.replace(first, elapsed_s=7.0, verdict=(("0 lost", True), ("1 ran twice", False)))
        screen.show(done)
        screen.show(done)
    lines = stream.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d +\d+\.\d s  \S", line) for line in lines)
    assert [line.split(" s  ", 1)[1] for line in lines] == [
        "hub killed",
        "140/400 done, 9 running, 6 results on their way",
        "well: 0 lost",
        "WRONG: 1 ran twice",
    ]


def test_nothing_is_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    with NoScreen() as screen:
        screen.show(BUSY)
    assert capsys.readouterr() == ("", "")


def test_the_picture_can_be_saved(tmp_path: Path) -> None:
    save_svg(DONE, tmp_path / "demo.svg")
    text = (tmp_path / "demo.svg").read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "moorline&#160;demo" in text
