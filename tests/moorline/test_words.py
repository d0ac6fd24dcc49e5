from __future__ import annotations

import pytest

from moorline.words import ago, clock, duration, moment, one_line, pairs, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (0, "0 ms"), (1e-5, "<1 ms"), (0.0123, "12 ms"),
        (1, "1.0 s"), (59.94, "59.9 s"), (65, "1m 05s"), (3599, "59m 59s"),
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
