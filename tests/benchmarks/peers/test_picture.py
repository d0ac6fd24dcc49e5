from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from benchmarks.peers.picture import OURS_COLOUR, draw, logarithmic, powers
from tests.benchmarks.peers.comparisons import record

SVG = "{http://www.w3.org/2000/svg}"


def test_each_peer_with_figures_has_a_bar_in_both_panels_and_moorline_its_own_colour() -> None:
    root = ET.fromstring(draw(record(moorline=[2000, 3000], nats=[1000, 1500], celery=[], sqlite=[9000])))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts.count("Moorline") == texts.count("NATS core, request/reply") == 2
    assert "Celery on Redis" not in texts
    assert "2,500" in texts
    # One in the legend, one bar in each panel.
    assert sum(box.get("fill") == OURS_COLOUR for box in root.iter(f"{SVG}rect")) == 3


def test_what_a_machine_calls_itself_cannot_break_the_picture() -> None:
    texts = [text.text or "" for text in ET.fromstring(draw(record(moorline=[1]))).iter(f"{SVG}text")]
    assert any("Abacus <1>" in text for text in texts)


def test_a_picture_of_nothing_is_still_a_picture() -> None:
    ET.fromstring(draw(record(moorline=[])))


@pytest.mark.parametrize(
    ("least", "most", "marks"),
    [(50, 20_000, [10, 100, 1000, 10_000, 100_000]), (1.2, 9, [0.1, 1, 10]), (3, 10, [1, 10])],
)
def test_the_axis_has_the_powers_of_ten_around_the_values(least: float, most: float, marks: list[float]) -> None:
    assert powers(least, most) == pytest.approx(marks)


def test_equal_factors_are_equally_far_apart() -> None:
    scale = logarithmic(1, 100, 0, 200)
    assert [scale(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])
