from __future__ import annotations

from hub.decisions.suggestions import did_you_mean


def test_the_nearest_word_comes_first_and_all_are_named() -> None:
    assert did_you_mean("stat", ["state"]) == "did you mean state? there is: state"
    assert did_you_mean("xyz", ["state", "name"]) == "there are: state, name"
    assert did_you_mean("xyz", []) == "there is: none"
