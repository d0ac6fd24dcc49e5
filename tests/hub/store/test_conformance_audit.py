"""The audit log: lines in order, in pages, bounded by age and by number."""

from __future__ import annotations

from typing import Any

import pytest

from hub.store.history import Deed, NoteDeed
from hub.store.sqlite import audit
from hub.store.tokens import PutToken, TokenRow
from tests.hub.store.board import START_S, Board

ALL = 2**63 - 1


def _deed(action: str = "node.drain", **more: str) -> Deed:
    values = {"who": "ann (tok_1)", "role": "admin", "address": "10.0.0.7", "target": "n", "detail": "why"} | more
    return Deed(action=action, **values)


def _note(board: Board, *actions: str) -> None:
    for action in actions:
        board.one(NoteDeed(deed=_deed(action)))


def _actions(board: Board, limit: int = 100) -> list[str]:
    return [entry.deed.action for entry in board.store.audit(limit, ALL).entries]


def test_a_line_comes_back_as_it_was(board: Board) -> None:
    board.one(NoteDeed(deed=_deed()))
    page = board.store.audit(10, ALL)
    (entry,) = page.entries
    assert (entry.deed, entry.at, page.cursor) == (_deed(), START_S, None)


def test_lines_are_given_newest_first_in_pages(board: Board) -> None:
    _note(board, "a", "b", "c", "d")
    first = board.store.audit(2, ALL)
    assert [entry.deed.action for entry in first.entries] == ["d", "c"]
    assert first.cursor is not None
    second = board.store.audit(2, first.cursor)
    assert ([entry.deed.action for entry in second.entries], second.cursor) == (["b", "a"], None)


def test_tokens_that_are_made_and_revoked_stand_there_once(board: Board) -> None:
    values: dict[str, Any] = {"token_id": "tok_1", "name": "ann", "role": "node", "digest": b"d", "created_at": 1.0}
    board.one(PutToken(token=TokenRow(**values, node_id="n7")))
    for _ in range(2):
        board.one(PutToken(token=TokenRow(**values, revoked_at=2.0)))
    found = [entry.deed for entry in board.store.audit(10, ALL).entries]
    assert [(deed.action, deed.target, deed.who) for deed in found] == [
        ("token.revoke", "tok_1", "command line"),
        ("token.create", "tok_1", "command line"),
    ]
    assert found[1].detail == "node, ann, node n7"


def test_lines_beyond_the_number_and_past_their_age_are_removed(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT_MAX", 3)
    _note(board, "a", "b", "c", "d", "e")
    while board.sweep(batch=1).more:
        pass
    assert _actions(board) == ["e", "d", "c"]
    board.wait(audit.KEPT_S + 1)
    _note(board, "f")
    board.sweep()
    assert _actions(board) == ["f"]
