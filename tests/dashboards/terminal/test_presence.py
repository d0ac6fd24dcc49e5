from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards.terminal.presence import strip
from dashboards.terminal.snapshot import Presence, Span

DAY_S = 86_400.0


def drawn(*spans: Span, width: int = 60) -> str:
    return strip(Presence("n", 0.0, DAY_S, spans), DAY_S, width).plain


def test_a_node_that_was_always_here_is_one_line() -> None:
    text = drawn(Span(-500.0, None, "online"))
    assert text.startswith("24h ago ━━━━━")
    assert text.endswith("━ now  never away")


def test_a_short_absence_is_to_be_seen_and_counted() -> None:
    text = drawn(Span(0, 40_000, "online"), Span(40_000, 40_060, "unreachable"), Span(40_060, None, "online"))
    assert text.count("▲") == 1
    assert text.endswith("now  1 time away, 1m 00s")


def test_a_node_that_left_was_away_too_and_one_that_was_given_up_was_away_once() -> None:
    left = drawn(Span(0, 40_000, "online"), Span(40_000, 40_060, "gone"), Span(40_060, None, "online"))
    assert left.endswith("now  1 time away, 1m 00s")
    lost = drawn(
        Span(0, DAY_S - 7_200, "online"),
        Span(DAY_S - 7_200, DAY_S - 3_600, "unreachable"),
        Span(DAY_S - 3_600, None, "gone"),
    )
    assert lost.endswith("now  1 time away, 2h 00m")


def test_a_time_before_the_node_was_known_is_empty() -> None:
    assert "ago       " in drawn(Span(43_200, None, "online"))


def test_an_absence_that_goes_on_is_counted_up_to_now() -> None:
    assert drawn(Span(0, DAY_S - 120, "online"), Span(DAY_S - 120, None, "unreachable")).endswith("1 time away, 2m 00s")


@given(
    spans=st.lists(
        st.builds(
            Span,
            st.floats(-1e5, 1e5),
            st.none() | st.floats(-1e5, 1e5),
            st.sampled_from(["online", "unreachable", "gone", "draining", "other"]),
        ),
        max_size=6,
    ),
    width=st.integers(1, 200),
)
def test_it_is_never_much_too_wide(spans: list[Span], width: int) -> None:
    assert strip(Presence("n", 0.0, DAY_S, tuple(spans)), DAY_S, width).cell_len <= max(width, 50)
