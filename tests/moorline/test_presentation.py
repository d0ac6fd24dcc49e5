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
    ago,
    aligned,
    cell_width,
    clock,
    coloured,
    duration,
    fitting,
    moment,
    one_line,
    pairs,
    print_columns,
    print_document,
    print_fields,
    print_json_line,
    print_table,
    printable,
    shares,
)

COLUMNS = (Column(title="ID"), Column(title="NAME", rank=1, is_flexible=True), Column(title="N", rank=2, is_right=True))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (0, "0 ms"), (0.0123, "12 ms"), (1, "1.0 s"), (59.94, "59.9 s"), (65, "1m 05s"), (3599, "59m 59s"),
        (3600, "1h 00m"), (93784, "1d 02h"), (10 * 86400, "10d 00h"),
    ],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d"), (-30, "+30s"), (-0.5, "0s")],
)
def test_how_long_ago_has_one_unit(seconds: float, text: str) -> None:
    assert ago(1000.0, 1000.0 + seconds) == text


def test_what_never_was_is_a_dash() -> None:
    assert (ago(None, 1.0), moment(None), clock(None)) == ("-", "-", "-")


def test_moments_are_in_utc() -> None:
    assert moment(1700000000.25) == "2023-11-14 22:13:20Z"
    assert clock(1700000000.25) == "22:13:20.250"


def test_labels_are_sorted() -> None:
    assert pairs({"site": "berlin", "gpu": "h100"}) == "gpu=h100,site=berlin"


def test_a_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\rc\x9bd\u202ee\udc80") == "a\\x1b[2Jb\\rc\\x9bd\\u202ee\\udc80"
    assert printable("two\nlines\tand ünïcode 漢") == "two\nlines\tand ünïcode 漢"


def test_a_cell_is_one_line() -> None:
    assert one_line("a\nb\tc") == "a b c"


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
