from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from hub.http.errors import ApiError, InvalidTaskError, MalformedJsonError
from hub.http.faults import FaultFinder


class Thing(Struct, kw_only=True, forbid_unknown_fields=True):
    at_least: Annotated[int, Meta(ge=3)] = 3
    at_most: Annotated[int, Meta(le=3)] = 3
    whole: int = 0
    above: Annotated[float, Meta(gt=0)] = 1.0
    text: str = ""
    word: Literal["a", "b"] = "a"
    flag: bool = False
    anything: Any = None


FINDER = FaultFinder(Thing, "the thing")


def fault(text: bytes) -> ApiError:
    try:
        msgspec.json.decode(text, type=Thing)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return FINDER.fault(text, error, "line 9")
    raise AssertionError("it decodes")


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        (b'{"at_least":2}', "at_least is 2", "an integer of at least 3"),
        (b'{"at_most":4}', "at_most is 4", "an integer of at most 3"),
        (b'{"whole":"x"}', 'whole is "x"', "an integer"),
        (b'{"above":0}', "above is 0", "a number above 0"),
        (b'{"text":1}', "text is 1", "a text"),
        (b'{"word":"c"}', 'word is "c"', '"a" or "b"'),
        (b'{"flag":1}', "flag is 1", "boolean"),
        (b'{"at_leats":2}', "at_leats is unknown", "did you mean at_least? there are: at_least, at_most"),
        (b"[]", "the thing is []", "a JSON object with at_least, at_most"),
        (b'{"text":[' + b"1," * 100 + b"1]}", "text is [1,1,1", "a text"),
    ],
)
def test_a_fault_names_the_field_the_value_and_what_would_be_right(text: bytes, message: str, remedy: str) -> None:
    found = fault(text)
    assert isinstance(found, InvalidTaskError)
    assert found.message.startswith(message)
    assert len(found.message) < 100
    assert found.remedy.startswith(remedy)
    assert found.where == "line 9"


@pytest.mark.parametrize("text", [b"{", b"", b'{"text":"\xff"}', b'{"anything":' + b"[" * 5000])
def test_what_is_no_json_is_said_to_be_none(text: bytes) -> None:
    assert isinstance(fault(text), MalformedJsonError)


def test_what_only_our_decoder_refuses_is_refused_in_its_words() -> None:
    found = FINDER.fault(b"{}", RecursionError())
    assert found.message == "the thing is not JSON: it is nested too deeply"


def test_words_for_a_path_are_those_of_its_schema() -> None:
    assert FINDER.words_for("anything") == "any JSON"
    assert FINDER.words_for("at_least") == "an integer of at least 3"
