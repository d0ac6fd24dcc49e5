"""The table of moves is whole: every state is reached, and no outcome is left but by a person's wish."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.decisions.lifecycle import FINAL, MOVES, IllegalMoveError, Move, TaskState, after, diagram, is_final


def test_every_state_can_be_reached_from_a_submit() -> None:
    reached = {TaskState.SCHEDULED, TaskState.QUEUED}
    while more := {target for (state, _), target in MOVES.items() if state in reached} - reached:
        reached |= more
    assert reached == set(TaskState)


def test_an_outcome_is_left_only_by_a_wish_to_run_again_and_success_never() -> None:
    left = {(state, move) for state, move in MOVES if is_final(state)}
    assert left == {(state, Move.REVIVE) for state in FINAL - {TaskState.SUCCEEDED}}


def test_a_move_that_is_not_in_the_table_says_what_would_be_possible() -> None:
    with pytest.raises(IllegalMoveError, match="a task that is succeeded cannot cancel; it can: nothing"):
        after(TaskState.SUCCEEDED, Move.CANCEL)
    with pytest.raises(IllegalMoveError, match="it can: assign, cancel, expire"):
        after(TaskState.QUEUED, Move.SUCCEED)


def test_each_state_and_move_has_its_sentence_in_the_picture() -> None:
    picture = diagram()
    assert picture.startswith("stateDiagram-v2\n")
    for (state, move), target in MOVES.items():
        assert f"    {state} --> {target}: {move}\n" in picture


def test_the_picture_in_the_docs_is_printed_from_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "explanation" / "task-states.md"
    assert f"```mermaid\n{diagram()}```" in page.read_text()
