from __future__ import annotations

import json
from typing import Any

import pytest

from moorline import BadArgumentsError, DeclarationError, InvalidTaskError, Options
from moorline.task_lines import Middles, line_of, name_of, payload_of, payload_of_item
from tests.moorline.sample_tasks import add


def test_a_line_holds_one_task() -> None:
    line = line_of("t1", Middles("me").of(add), {"a": 1, "text": "two\nlines"}, "add")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "id": "t1",
        "name": add.name,
        "options": {**add.defaults.wire(), "origin": "me"},
        "payload": {"a": 1, "text": "two\nlines"},
    }


def test_what_a_task_always_says_is_made_once() -> None:
    middles = Middles("me")
    assert middles.of(add) is middles.of(add)
    assert middles.of("add") == middles.made("add", Options())


def test_arguments_that_are_not_json_are_refused_by_the_task_s_name() -> None:
    with pytest.raises(InvalidTaskError, match="the arguments of add are not JSON"):
        line_of("t1", b"", {"a": object()}, "add")


def test_a_name_that_is_none_is_refused() -> None:
    assert name_of("add") == "add"
    assert name_of(add) == add.name
    with pytest.raises(DeclarationError, match="the name of a task is 'no name'"):
        name_of("no name")


def test_a_task_that_is_known_by_its_name_only_takes_named_arguments() -> None:
    assert payload_of("add", (), {"a": 1}) == {"a": 1}
    assert payload_of(add, (1, 2), {}) == {"a": 1, "b": 2}
    with pytest.raises(BadArgumentsError, match="name its arguments too"):
        payload_of("add", (1,), {})


@pytest.mark.parametrize("item", [{"a": 1, "b": 2}, (1, 2)])
def test_an_item_is_named_or_positional_arguments(item: Any) -> None:
    assert payload_of_item(add, item) == {"a": 1, "b": 2}
