"""Pauses between tries grow to a bound, and a message is given up at some time."""

from __future__ import annotations

import pytest

from hub.alerts.delivering import GIVEN_UP_AFTER_S, PAUSE_S_MAX, REFUSALS_MAX, is_given_up, pause_s


def test_pauses_double_up_to_a_minute() -> None:
    assert [pause_s(failures, 1.0) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_s(10_000, 1.0) == PAUSE_S_MAX


@pytest.mark.parametrize("failures", [1, 3, 50])
def test_luck_shortens_a_pause_by_a_fifth_at_most(failures: int) -> None:
    assert pause_s(failures, 0.0) == pytest.approx(0.8 * pause_s(failures, 1.0))


def test_a_message_is_given_up_when_it_is_old_or_was_refused_often() -> None:
    assert not is_given_up(GIVEN_UP_AFTER_S, REFUSALS_MAX - 1)
    assert is_given_up(GIVEN_UP_AFTER_S + 1, 0)
    assert is_given_up(0.0, REFUSALS_MAX)
