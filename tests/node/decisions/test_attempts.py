"""What a node holds; the rest is tested through the core."""

from __future__ import annotations

import pytest

from node.decisions import attempts as module
from node.decisions.attempts import Attempts, Held, Stage
from tests.node.fake_hub import task


def test_a_move_that_is_not_in_the_table_is_a_bug() -> None:
    held = Held(task("a"), 0.0)
    held.move(Stage.ENDED)
    with pytest.raises(RuntimeError, match="cannot go from ended to running"):
        held.move(Stage.RUNNING)


def test_what_is_over_is_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OVER_MAX", 3)
    attempts = Attempts(1)
    attempts.remember([(f"t{number}", 1) for number in range(5)])
    assert [attempts.is_over((f"t{number}", 1)) for number in range(5)] == [False, False, True, True, True]


def test_the_shortest_lease_is_that_of_what_is_held() -> None:
    attempts = Attempts(1)
    attempts.hold(task("a", lease_s=10.0), 0.0)
    attempts.hold(task("b", lease_s=5.0), 0.0)
    assert attempts.shortest_lease_s == 5.0
    attempts.end(("b", 1))
    attempts.drop(("b", 1))
    assert attempts.shortest_lease_s == 10.0
    assert attempts.drop(("b", 1)) is None


def test_what_holds_nothing_has_no_lease() -> None:
    assert Attempts(1).shortest_lease_s is None
