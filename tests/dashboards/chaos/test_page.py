from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from dashboards.chaos.page import page, rates, ticks_s, timeline
from dashboards.installation.judgement import Finding
from tests.dashboards.chaos.examples import result

VOID = {"meta", "link", "br", "img"}


class Nesting(HTMLParser):
    """Notes what is opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = page(result())
    nesting = Nesting()
    nesting.feed(text)
    assert nesting.open == []
    assert not re.search(r"(src|href)=|@import|url\(", text)
    assert "Nothing was lost, nothing ran twice." in text


def test_the_timeline_has_a_lane_for_each_and_a_bar_for_each_fault() -> None:
    drawn = result()
    picture = ET.fromstring(timeline(drawn))
    lanes = [found.text for found in picture.iter("text") if found.get("text-anchor") == "end"]
    assert lanes[-5:] == ["hub", "node-1", "node-2", "node-3", "node-4"]
    bars = [found for found in picture.iter("rect") if found.find("title") is not None]
    assert len(bars) == len(drawn.ledger.faults)
    assert all(float(bar.get("x", "")) + float(bar.get("width", "")) <= 1200 for bar in bars)


def test_what_broke_is_on_top_and_cannot_be_markup() -> None:
    text = page(result(Finding(kind="lost", task_id="t", sentence="task <b>t</b> is lost")))
    assert "An invariant broke." in text
    assert "task &lt;b&gt;t&lt;/b&gt; is lost" in text


@pytest.mark.parametrize(("seconds", "step"), [(10, 1), (62, 10), (300, 30), (7200, 600)])
def test_the_axis_has_a_dozen_marks_at_most(seconds: float, step: int) -> None:
    ticks = ticks_s(seconds)
    assert ticks[1] - ticks[0] == step
    assert len(ticks) <= 13


def test_rates_are_per_second_whatever_the_bins() -> None:
    assert rates([0.1, 0.2, 1.5, 9.9], 0.0, 10.0, 5) == [1.5, 0.0, 0.0, 0.0, 0.5]
