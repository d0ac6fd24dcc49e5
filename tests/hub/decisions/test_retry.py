"""Pauses grow, stay in their bounds, and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.retry import RetryPolicy, pause_s


def test_the_default_policy_does_not_retry() -> None:
    assert pause_s(RetryPolicy(), failures=1, luck=0.5) is None


@pytest.mark.parametrize(("failures", "expected"), [(1, 2.0), (2, 6.0), (3, 10.0), (4, 10.0), (5, None)])
def test_the_pause_grows_to_its_maximum_until_no_attempt_is_left(failures: int, expected: float | None) -> None:
    policy = RetryPolicy(max_attempts=5, initial_s=2, factor=3, maximum_s=10, jitter=0)
    assert pause_s(policy, failures, luck=0.9) == expected


@given(
    failures=st.integers(1, 999),
    luck=st.floats(0, 1),
    jitter=st.floats(0, 1),
    factor=st.floats(1, 100),
    initial=st.floats(0, 1000),
)
def test_jitter_stays_within_its_share(
    failures: int, luck: float, jitter: float, factor: float, initial: float
) -> None:
    policy = RetryPolicy(max_attempts=1000, initial_s=initial, factor=factor, maximum_s=50, jitter=jitter)
    plain = RetryPolicy(max_attempts=1000, initial_s=initial, factor=factor, maximum_s=50, jitter=0)
    middle = pause_s(plain, failures, 0.5)
    pause = pause_s(policy, failures, luck)
    assert middle is not None
    assert pause is not None
    assert pause >= 0
    assert middle * (1 - jitter) - 1e-6 <= pause <= middle * (1 + jitter) + 1e-6
