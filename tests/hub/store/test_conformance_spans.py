"""The states of a node over time: each transaction that changes one ends a span and begins the next."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.store.contract import Store
from hub.store.nodes import HubStarted, NodeLeft, NodeSeen
from hub.store.sqlite import spans
from hub.store.wishes import NodeWish
from tests.hub.store.board import START_S, Board


def _spans(board: Board, node_id: str = "n", since: float = 0.0) -> list[tuple[str, float, float | None]]:
    """Give state, beginning and end of each span, in seconds since the board's clocks began."""
    return [
        (span.state, span.began_at - START_S, None if span.ended_at is None else span.ended_at - START_S)
        for span in board.store.node_spans(node_id, since)
    ]


def _left(reason: str = "cut", *, gone: bool = False) -> NodeLeft:
    return NodeLeft(node_id="n", instance_id="i", session_id="s", reason=reason, gone=gone)


def test_a_span_ends_where_the_next_one_begins(board: Board) -> None:
    board.register()
    board.wait(10)
    board.one(_left("cut"))
    board.wait(5)
    board.register()
    board.wait(1)
    board.one(NodeWish(node_id="n", draining=True))
    board.wait(1)
    board.one(_left("bye", gone=True))
    assert _spans(board) == [
        ("online", 0, 10),
        ("unreachable", 10, 15),
        ("online", 15, 16),
        ("draining", 16, 17),
        ("gone", 17, None),
    ]
    assert [span.reason for span in board.store.node_spans("n", 0)] == ["", "cut", "", "", "bye"]


def test_what_changes_no_state_begins_no_span(board: Board) -> None:
    board.register()
    board.register(session_id="s2")
    board.one(NodeWish(node_id="n", cordoned=True))
    board.one(NodeSeen(nodes=[("n", "i")]))
    board.sweep()
    assert _spans(board) == [("online", 0, None)]


def test_a_node_that_leaves_and_comes_back_in_one_transaction_has_a_span_of_no_length(board: Board) -> None:
    board.register()
    board.wait(3)
    again = board.registration("n", "i", session_id="s2")
    board.run(_left(), again)
    assert _spans(board) == [("online", 0, 3), ("unreachable", 3, 3), ("online", 3, None)]


def test_only_what_had_not_ended_is_given(board: Board) -> None:
    board.register()
    board.wait(10)
    board.one(_left())
    board.wait(10)
    board.register()
    assert _spans(board, since=START_S + 10) == [("unreachable", 10, 20), ("online", 20, None)]
    assert _spans(board, "nobody") == []


def test_a_node_that_stays_away_is_gone(board: Board) -> None:
    board.register()
    board.one(_left())
    board.wait(61)
    board.sweep(gone_after_s=60)
    last = board.store.node_spans("n", 0)[-1]
    assert (last.state, last.reason) == ("gone", "not heard of for 60 s")


def test_a_hub_that_was_killed_is_seen_in_the_history_from_its_last_sign_of_life(
    board: Board, open_store: Callable[[], Store]
) -> None:
    board.register()
    board.wait(20)
    board.one(NodeSeen(nodes=[("n", "i")]))
    board.store.close()
    board.store = open_store()
    board.wait(3600)
    board.one(HubStarted(hub_id="h"))
    board.wait(1)
    board.register(session_id="s2")
    assert _spans(board) == [("online", 0, 20), ("unreachable", 20, 3621), ("online", 3621, None)]
    assert board.store.node_spans("n", 0)[1].reason == "the hub stopped"


def test_spans_that_ended_long_ago_are_removed_and_the_one_that_lasts_stays(board: Board) -> None:
    board.register()
    board.wait(10)
    board.one(_left())
    board.wait(10)
    board.register()
    board.wait(spans.KEPT_S - 5)
    board.sweep()
    assert [state for state, _, _ in _spans(board)] == ["unreachable", "online"]
    board.wait(spans.KEPT_S)
    while board.sweep(batch=1).more:
        pass
    assert [state for state, _, _ in _spans(board)] == ["online"]


def test_a_node_that_flaps_keeps_its_last_spans(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "KEPT_PER_NODE_MAX", 3)
    for _ in range(5):
        board.register()
        board.wait(1)
        board.one(_left())
        board.wait(1)
    assert [began for _, began, _ in _spans(board)] == [7, 8, 9]
