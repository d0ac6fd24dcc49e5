"""What a handler came to, in words that fit the wire."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from node.decisions.conclusions import clean, failed, raised, succeeded, timed_out
from protocol.codec import encode, node_frames_decoder
from protocol.frames import Result, TaskError
from protocol.limits import DEPTH_MAX, MESSAGE_CHARACTERS_MAX, TRACEBACK_CHARACTERS_MAX


def nested(depth: int) -> object:
    value: object = []
    for _ in range(depth - 1):
        value = [value]
    return value


def check_fits_the_wire(error: TaskError | None) -> TaskError:
    assert error is not None
    frame = Result(task_id="t", attempt=1, outcome="failed", error=error)
    assert node_frames_decoder().decode(encode(frame)) == [frame]
    return error


def test_what_is_json_succeeds() -> None:
    assert succeeded({"a": [1, 2.5, None, "ü"]}, 100).value == '{"a":[1,2.5,null,"ü"]}'.encode()
    assert succeeded(None, 4).value == b"null"
    assert succeeded(datetime(2030, 1, 1, tzinfo=UTC), 100).value == b'"2030-01-01T00:00:00+00:00"'
    assert succeeded(math.nan, 100).value == b"null"
    assert succeeded(nested(100), 1000).outcome == "succeeded"


@pytest.mark.parametrize("value", [object(), {1, 2}, {1: 2}, "\ud800", 2**64, nested(101), nested(5000), b"bytes"])
def test_what_is_not_json_is_a_bad_result(value: object) -> None:
    conclusion = succeeded(value, 1_000_000)
    assert conclusion.outcome == "failed"
    error = check_fits_the_wire(conclusion.error)
    assert error.kind == "bad_result"
    assert not error.retryable


class OwnValues(dict[str, object]):
    """As the dicts of web frameworks that hold several values for a name."""

    def values(self) -> Iterator[object]:  # type: ignore[override]
        yield from ()

    def __len__(self) -> int:
        return 0


def test_a_dict_of_a_kind_of_its_own_is_taken_as_it_is_written() -> None:
    text = "x" * 2 * DEPTH_MAX
    assert succeeded(OwnValues(a=text), 10**6).value == orjson.dumps({"a": text})
    assert succeeded(OwnValues(a=nested(DEPTH_MAX)), 10**6).outcome == "failed"


def test_a_result_may_be_as_large_as_the_hub_takes_and_no_larger() -> None:
    assert succeeded("x" * 98, 100).outcome == "succeeded"
    error = succeeded("x" * 99, 100).error
    assert error is not None
    assert "101 bytes" in error.message
    assert "at most 100" in error.message


def boom(depth: int = 0) -> None:
    if depth:
        boom(depth - 1)
    raise ValueError("bad value")


def test_an_exception_becomes_text_with_the_users_frames_only() -> None:
    try:
        boom()
    except ValueError as caught:
        error = check_fits_the_wire(raised(caught, __file__ + "?").error)
        ours = check_fits_the_wire(raised(caught, __file__).error)
    assert (error.kind, error.type, error.message, error.retryable) == ("error", "ValueError", "bad value", True)
    assert "in boom" in error.traceback
    assert error.traceback.endswith("ValueError: bad value\n")
    assert "in boom" not in ours.traceback


def test_a_long_traceback_keeps_its_end() -> None:
    try:
        boom(300)
    except ValueError as caught:
        error = check_fits_the_wire(raised(caught, "").error)
    assert len(error.traceback) <= TRACEBACK_CHARACTERS_MAX
    assert error.traceback.endswith("ValueError: bad value\n")
    long = check_fits_the_wire(raised(ValueError("x" * 100_000), "").error)
    assert len(long.message) == MESSAGE_CHARACTERS_MAX
    assert len(long.traceback) == TRACEBACK_CHARACTERS_MAX


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_without_a_text_is_still_told() -> None:
    error = check_fits_the_wire(raised(MuteError(), "").error)
    assert "RuntimeError" in error.message
    assert error.type == "MuteError"


class RestlessError(Exception):
    def __init__(self, leaves: type[BaseException]) -> None:
        super().__init__(leaves)
        self.leaves = leaves

    def __str__(self) -> str:
        raise self.leaves


@pytest.mark.parametrize("leaves", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exception_whose_text_ends_the_program_is_still_told(leaves: type[BaseException]) -> None:
    error = check_fits_the_wire(raised(RestlessError(leaves), "").error)
    assert leaves.__name__ in error.message


def test_an_exception_that_breaks_the_formatter_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[str]:
        raise RuntimeError

    monkeypatch.setattr("traceback.format_exception", broken)
    assert "cannot be had" in check_fits_the_wire(raised(ValueError("x"), "").error).traceback


def test_texts_that_are_not_unicode_are_made_so() -> None:
    error = check_fits_the_wire(raised(ValueError("a\ud800b"), "").error)
    assert error.message == "a?b"
    assert clean("\ud800" * 10, 5) == "????…"


class OddText(str):
    """A kind of text of user code's own: no encoder takes it."""

    __slots__ = ()

    def __len__(self) -> int:
        raise SystemExit

    def __getitem__(self, where: object) -> str:
        raise SystemExit


class OddError(Exception):
    def __str__(self) -> str:
        return OddText("x" * 2 * MESSAGE_CHARACTERS_MAX)


def test_an_exception_whose_text_is_a_kind_of_its_own_becomes_plain_text() -> None:
    error = raised(OddError(), __file__).error
    assert error is not None
    assert (type(error.message), len(error.message)) == (str, MESSAGE_CHARACTERS_MAX)
    check_fits_the_wire(error)
    assert type(clean(OddText("a"), 10)) is str


def test_our_own_errors_say_whether_a_retry_can_help() -> None:
    assert not check_fits_the_wire(failed("unknown_handler", "x").error).retryable
    error = check_fits_the_wire(timed_out(1.5).error)
    assert error.retryable
    assert error.message == "the handler ran longer than 1.5 s"
