from __future__ import annotations

from datetime import UTC, datetime

from moorline.queries import query_of, seconds_of


def test_several_words_are_joined_and_what_is_empty_is_left_out() -> None:
    assert query_of(state=["queued", "running"], name="add", node=None, group="", id=()) == {
        "state": "queued,running",
        "name": "add",
    }


def test_a_time_is_written_to_the_last_digit() -> None:
    assert seconds_of(None) is None
    assert seconds_of(7) == "7.0"
    assert seconds_of(1_700_000_000.123456) == "1700000000.123456"
    assert seconds_of(datetime(2031, 5, 17, 18, tzinfo=UTC)) == "1936807200.0"
