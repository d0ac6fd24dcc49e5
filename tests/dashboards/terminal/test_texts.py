from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dashboards.terminal.texts import clean, cut, exact, in_ascii, line, padded, spread, wrapped

anything = st.text(st.characters(exclude_categories=()), max_size=60)


@given(text=anything, width=st.integers(1, 40))
def test_what_is_cut_fits_and_what_is_padded_is_exact(text: str, width: int) -> None:
    assert cell_len(cut(clean(text), width)) <= width
    assert cell_len(padded(clean(text), width)) == width
    assert exact(line(text), width).cell_len == width


@given(text=anything, width=st.integers(1, 40), most=st.integers(1, 4))
def test_wrapped_lines_fit_and_there_are_no_more_than_asked_for(text: str, width: int, most: int) -> None:
    lines = wrapped(clean(text), width, most)
    assert 1 <= len(lines) <= most
    assert all(cell_len(each) <= width for each in lines)


@given(text=anything, width=st.integers(1, 40))
def test_ascii_keeps_the_width_and_the_styles(text: str, width: int) -> None:
    made = exact(line((text, "bold"), (text, "dim")), width)
    told = in_ascii(made)
    assert told.plain.isascii()
    assert told.cell_len == width


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc", "a b c"),
        ("👩‍🚀", "👩🚀"),
        ("❤️", "❤"),
        ("zero\u200bwidth", "zerowidth"),
        ("\u202eright to left", "\\u202eright to left"),
        ("東京", "東京"),
    ],
)
def test_texts_from_elsewhere_are_made_harmless_and_of_one_width(text: str, told: str) -> None:
    assert clean(text) == told


def test_lines_are_broken_at_spaces() -> None:
    assert wrapped("the quick brown fox jumps", 11, 9) == ["the quick", "brown fox", "jumps"]
    assert wrapped("the quick brown fox jumps", 11, 2) == ["the quick", "brown fox…"]


def test_what_does_not_fit_at_the_right_edge_is_left_out() -> None:
    assert spread(line("left"), line("right"), 12).plain == "left   right"
    assert spread(line("left"), line("right"), 8).plain == "left"
