from __future__ import annotations

import pyte

from dashboards.terminal.picture import Picture, render
from dashboards.terminal.screen import Screen
from dashboards.terminal.state import State, View
from dashboards.terminal.texts import exact, line
from tests.dashboards.terminal.fleets import DEGRADED, looking_at


class Written:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> None:
        self.texts.append(text)


def picture(*lines: str) -> Picture:
    return Picture(tuple(exact(line((text, "bold yellow")), 20) for text in lines))


def test_a_picture_arrives_on_the_screen_as_it_is() -> None:
    seen = pyte.Screen(80, 24)
    stream = pyte.Stream(seen)
    drawn = render(DEGRADED, looking_at(View.NODES), 80, 24)
    Screen(stream.feed).draw(drawn)
    assert "\n".join(row.rstrip() for row in seen.display).rstrip() + "\n" == drawn.plain


def test_only_lines_that_changed_are_written() -> None:
    written = Written()
    screen = Screen(written)
    assert screen.draw(picture("one", "two", "three"))
    assert screen.draw(picture("one", "TWO", "three"))
    assert "TWO" in written.texts[1]
    assert "one" not in written.texts[1]
    assert "three" not in written.texts[1]


def test_the_same_picture_is_not_written_again() -> None:
    written = Written()
    screen = Screen(written)
    screen.draw(render(DEGRADED, State(), 80, 24))
    assert not screen.draw(render(DEGRADED, State(), 80, 24))
    assert len(written.texts) == 1


def test_after_something_else_wrote_there_all_is_written() -> None:
    written = Written()
    screen = Screen(written)
    screen.draw(picture("one"))
    screen.forget()
    assert screen.draw(picture("one"))
    assert "one" in written.texts[1]


def test_a_frame_is_shown_at_once_and_in_one_write() -> None:
    written = Written()
    Screen(written).draw(picture("one", "two"))
    assert len(written.texts) == 1
    assert written.texts[0].startswith("\x1b[?2026h")
    assert written.texts[0].endswith("\x1b[?2026l")


def test_only_the_sixteen_colours_are_used() -> None:
    written = Written()
    for view in View:
        Screen(written).draw(render(DEGRADED, looking_at(view), 120, 40))
    text = "".join(written.texts)
    assert "38;5" not in text
    assert "38;2" not in text


def test_without_colours_words_stay_bold_and_reversed() -> None:
    written = Written()
    Screen(written, has_colours=False).draw(picture("one"))
    assert "\x1b[1mone" in written.texts[0]
    assert "33m" not in written.texts[0]


def test_the_cursor_is_seen_where_one_types_and_hidden_else() -> None:
    written = Written()
    screen = Screen(written)
    screen.draw(picture("one", "two"), (1, 3))
    assert written.texts[0].index("\x1b[2;4H\x1b[?25h") > 0
    assert screen.draw(picture("one", "two"))
    assert "\x1b[?25h" not in written.texts[1]
