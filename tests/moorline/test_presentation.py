from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from moorline import presentation
from moorline.presentation import (
    Column,
    Styled,
    aligned,
    cell_width,
    coloured,
    fitting,
    print_columns,
    print_document,
    print_fields,
    print_json_line,
    print_table,
    shares,
)

COLUMNS = (Column(title="ID"), Column(title="NAME", rank=1, is_flexible=True), Column(title="N", rank=2, is_right=True))


def test_wide_and_combining_characters_count_as_they_look() -> None:
    assert (cell_width("ab"), cell_width("漢字"), cell_width("e\u0301")) == (2, 4, 1)


def test_columns_are_aligned_two_spaces_apart_without_spaces_at_the_end() -> None:
    assert aligned([["ID", "N"], ["漢", "1"], ["abc", "10"]], [False, True]) == ["ID    N", "漢    1", "abc  10"]
    assert aligned([["a", ""], ["b", "x"]], [False, False]) == ["a", "b  x"]


@pytest.mark.parametrize(("width", "kept"), [(100, [0, 1, 2]), (40, [0, 1, 2]), (21, [0, 1]), (9, [0]), (1, [0])])
def test_where_it_is_narrow_the_least_important_columns_go_first(width: int, kept: list[int]) -> None:
    assert fitting(COLUMNS, [5, 30, 4], width) == kept


@pytest.mark.parametrize(("width", "widths"), [(43, [5, 30, 4]), (30, [5, 17, 4]), (1, [5, 1, 4])])
def test_flexible_columns_are_cut_to_what_is_left(width: int, widths: list[int]) -> None:
    assert shares(COLUMNS, [5, 30, 4], [0, 1, 2], width) == widths


def test_a_table_on_a_pipe_is_plain_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [["t1", "x" * 200, "5"], [Styled("t2", "red"), "", "10"]])
    assert capsys.readouterr().out == f"ID  NAME{' ' * 198} N\nt1  {'x' * 200}   5\nt2  -{' ' * 201}10\n"


def test_fields_on_a_pipe_are_aligned_and_lines_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("id", "t1"), ("error", "one\ntwo")])
    assert capsys.readouterr().out == "id     t1\nerror  one\n       two\n"


def test_columns_of_a_stream_keep_their_widths(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns([("a", 3), (coloured("failed"), 8), ("rest", 0)])
    assert capsys.readouterr().out == "a    failed    rest\n"


class TestOnATerminal:
    @pytest.fixture(autouse=True)
    def _terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(presentation, "is_terminal", lambda: True)
        monkeypatch.setenv("COLUMNS", "30")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")

    def test_a_table_fits_and_has_colours(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(COLUMNS, [["t1", "x" * 200, "5"], [coloured("failed"), "y", "10"]])
        out = capsys.readouterr().out
        assert "\x1b[1;31mfailed" in out or "\x1b[31mfailed" in out
        assert "…" in out
        assert "ID" in out

    def test_without_colours_a_table_has_no_escape_codes(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("FORCE_COLOR")
        monkeypatch.setenv("NO_COLOR", "1")
        print_table(COLUMNS, [[coloured("failed"), "y", "10"]])
        print_columns([(coloured("failed"), 8)])
        print_fields([("state", coloured("failed"))])
        assert "\x1b" not in capsys.readouterr().out

    def test_square_brackets_are_no_markup(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_columns([("[red]x[/red]", 0)])
        print_fields([("state", coloured("ok"))])
        out = capsys.readouterr().out
        assert "[red]x[/red]" in out
        assert "\x1b[32mok" in out


@dataclass
class Point:
    x: int


class View(msgspec.Struct):
    id: str


def test_a_document_is_json_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"view": View("a"), "point": Point(1), "path": Path("/x"), "set": {"b", "a"}, "bytes": b"x"})
    assert json.loads(capsys.readouterr().out) == {
        "view": {"id": "a"}, "point": {"x": 1}, "path": "/x", "set": ["a", "b"], "bytes": "eA=="
    }  # fmt: skip


def test_a_stream_is_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json_line(View("a"))
    print_json_line(View("b"))
    assert capsys.readouterr().out == '{"id":"a"}\n{"id":"b"}\n'


def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert not presentation.is_terminal()
    monkeypatch.setenv("TERM", "xterm")
    assert presentation.is_terminal()
