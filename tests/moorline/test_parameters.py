from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from moorline.parameters import (
    parse_address,
    parse_duration,
    parse_moment,
    parse_pair,
    parse_past,
    parse_payload,
    parse_value,
)

NOON = datetime(2031, 5, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5h", 5400), ("15m", 900), ("2d", 172800), ("1w", 604800), ("250ms", 0.25), ("0", 0)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 years", "1e3", "h", "٣s x"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="15m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+10m", NOON + timedelta(minutes=10)),
        ("2031-05-17T18:00:00Z", NOON + timedelta(hours=6)),
        ("2031-05-17T18:00:00+02:00", NOON + timedelta(hours=4)),
    ],
)
def test_a_moment_is_a_time_from_now_or_a_time_with_its_zone(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOON) == moment.timestamp()


def test_a_moment_may_be_seconds_since_1970() -> None:
    assert parse_moment("1700000000.5", NOON) == 1700000000.5


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2031-05-17T18:00:00Z for UTC"):
        parse_moment("2031-05-17T18:00:00", NOON)


def test_what_is_no_time_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match="write \\+10m"):
        parse_moment("tomorrow", NOON)


def test_a_bare_time_span_lies_in_the_past() -> None:
    assert parse_past("10m", NOON) == (NOON - timedelta(minutes=10)).timestamp()
    assert parse_past("2031-05-17T12:00:00Z", NOON) == NOON.timestamp()
    assert parse_past("300", NOON) == (NOON - timedelta(minutes=5)).timestamp()
    assert parse_past("1700000000", NOON) == 1700000000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1.5", 1.5), ("true", True), ("null", None), ('"1"', "1"), ("[1,2]", [1, 2]), ('{"a":1}', {"a": 1}),
        ("berlin", "berlin"), ("", ""), ("NaN", "NaN"), ("-Infinity", "-Infinity"), ("01", "01"), ("a b", "a b"),
    ],
)  # fmt: skip
def test_a_value_is_json_if_it_reads_as_json_else_text(text: str, value: object) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize("text", [str(2**64), str(-(2**63) - 1), "9" * 400])
def test_a_number_that_would_be_rounded_in_silence_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        parse_value(text)


def test_a_number_that_is_infinite_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than any number"):
        parse_value("1e999")


def test_a_value_nested_without_end_is_text() -> None:
    assert parse_value("[" * 100_000) == "[" * 100_000


def test_a_value_may_hold_equals_signs() -> None:
    assert parse_pair("query=a=b") == ("query", "a=b")


@pytest.mark.parametrize("text", ["plain", "=x"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not key=value"):
        parse_pair(text)


def test_pairs_go_on_top_of_the_document() -> None:
    assert parse_payload(["a=2", "b=x"], '{"a": 1, "c": 3}') == {"a": 2, "b": "x", "c": 3}


def test_without_anything_the_payload_is_empty() -> None:
    assert parse_payload([], None) == {}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("[1]", "is an array"),
        ('"x"', "is a text"),
        ("null", "is null"),
        ("true", "is a truth value"),
        ("3", "is a number"),
        ("{", "no JSON: .* line 1 column 2"),
        ('{"a": NaN}', "it holds NaN"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_document_that_is_no_object_is_refused(document: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_payload([], document)


def test_a_key_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="a is given twice"):
        parse_payload(["a=1", "a=2"], None)


def test_an_address_loses_the_slash_at_its_end() -> None:
    assert parse_address("http://h:1/", ("http", "https"), "http://x") == "http://h:1"
    assert parse_address("https://h/base/", ("http", "https"), "http://x") == "https://h/base"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hub.example:8780", "write http://hub.example:8780"),
        ("ftp://h", "no address of a hub"),
        ("http://", "has no scheme|no address"),
        ("http://h:0", "no address of a hub"),
        ("http://h:99999", "no address of a hub"),
        ("http://me:secret@h", "holds no user"),
        ("http://h?x=1", "holds no user, query"),
    ],
)
def test_what_is_no_address_of_a_hub_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_address(text, ("http", "https"), "http://x")
    assert "secret" not in str(caught.value)
