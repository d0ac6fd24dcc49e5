from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from moorline import DeclarationError, Options, Retry


def test_only_what_differs_from_the_defaults_is_sent() -> None:
    assert Options().wire() == {}
    assert Options(priority=3, requires={"gpu": "h100"}, labels={}).wire() == {
        "priority": 3,
        "requires": {"gpu": "h100"},
    }


def test_times_are_sent_as_seconds_and_a_retry_whole() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    said = Options(not_before=at, deadline=at.timestamp() + 1, retry=Retry(max_attempts=2)).wire()
    assert said["not_before"] == at.timestamp()
    assert said["deadline"] == at.timestamp() + 1
    assert said["retry"] == {"max_attempts": 2, "initial_s": 1.0, "factor": 2.0, "maximum_s": 300.0, "jitter": 0.1}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("priority", 1001, "priority is 1001; it must be an integer from -1000 to 1000"),
        ("priority", 1.5, "an integer"),
        ("priority", True, "an integer"),
        ("requires", ["gpu"], "a mapping"),
        ("requires", {"gpu": 1}, r"requires\['gpu'\] is 1"),
        ("labels", {"a b": "x"}, "a label in labels is 'a b'"),
        ("labels", {f"l{n}": "" for n in range(65)}, "at most 64 labels"),
        ("node", "a b", "node is 'a b'"),
        ("delay_s", -1, "delay_s is -1"),
        ("not_before", datetime(2030, 1, 1), "without a time zone"),
        ("deadline", "tomorrow", "deadline is 'tomorrow'; it must be a number"),
        ("retry", 3, r"it must be a Retry, such as Retry\(max_attempts=3\)"),
        ("timeout_s", 0, "timeout_s is 0; it must be a number from 1e-06 to 2592000"),
        ("lease_s", 0.5, "lease_s is 0.5; it must be a number from 1"),
        ("on_lost", "ignore", "it must be 'retry' or 'fail'"),
        ("concurrency_key", "", "1-256 characters"),
        ("concurrency_limit", 0, "concurrency_limit is 0"),
        ("idempotency_key", "x" * 257, "1-256 characters"),
    ],
)
def test_a_value_that_the_hub_would_refuse_is_refused_here(option: str, value: object, words: str) -> None:
    said: dict[str, Any] = {option: value}
    with pytest.raises(DeclarationError, match=words):
        Options(**said)
    with pytest.raises(DeclarationError, match=words):
        Options().changed(**said)


@pytest.mark.parametrize(
    "said", [{"max_attempts": 0}, {"initial_s": -1}, {"factor": 0.5}, {"maximum_s": -1}, {"jitter": 1.1}]
)
def test_a_retry_has_bounds(said: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=f"retry.{next(iter(said))} is"):
        Retry(**said)
