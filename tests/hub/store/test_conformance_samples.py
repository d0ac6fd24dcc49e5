"""Samples: kept by step, rolled up when a longer step is over, removed by age."""

from __future__ import annotations

from collections.abc import Callable

from hub.decisions.samples import Sample
from hub.store.contract import Store
from hub.store.history import NoteSample
from tests.hub.decisions.test_samples import sample
from tests.hub.store.board import START_S, Board

# The first longer step that ends after the board's clocks begin.
FIRST_S = START_S - START_S % 300 + 300


def _note(board: Board, *ends: float, **more: int) -> None:
    for at in ends:
        board.wall_s = board.steady_s = at
        board.one(NoteSample(sample=sample(at, **more)))


def _ends(board: Board, step_s: int, after: float = 0.0, until: float = 1e12) -> list[float]:
    return [found.at for found in board.store.samples(step_s, after, until)]


def test_samples_are_given_oldest_first_between_two_times(board: Board) -> None:
    _note(board, START_S + 10, START_S + 20, START_S + 30)
    assert _ends(board, 10) == [START_S + 10, START_S + 20, START_S + 30]
    assert _ends(board, 10, START_S + 10, START_S + 20) == [START_S + 20]
    assert _ends(board, 300) == []


def test_a_sample_comes_back_as_it_was(board: Board) -> None:
    one: Sample = sample(START_S + 10, queued=3, submitted=4, waits=[0, 1], oldest_queued_s=0.25)
    board.one(NoteSample(sample=one))
    assert board.store.samples(10, 0, 1e12) == [one]


def test_a_longer_step_that_is_over_is_rolled_up(board: Board) -> None:
    _note(board, *(FIRST_S + 10 * number for number in range(1, 31)), submitted=2)
    (one,) = board.store.samples(300, FIRST_S, 1e12)
    assert (one.at, one.submitted) == (FIRST_S + 300, 60)
    _note(board, FIRST_S + 310)
    assert board.store.samples(300, FIRST_S, 1e12) == [one]


def test_what_a_hub_that_was_killed_left_in_part_is_rolled_up_by_the_next_one(
    board: Board, open_store: Callable[[], Store]
) -> None:
    _note(board, FIRST_S + 10, FIRST_S + 20, submitted=1)
    board.store.close()
    board.store = open_store()
    _note(board, FIRST_S + 3 * 3600 + 10, submitted=5)
    assert [(one.at, one.submitted) for one in board.store.samples(300, 0, 1e12)] == [(FIRST_S + 300, 2)]


def test_old_samples_are_removed_by_the_steady_clock(board: Board) -> None:
    _note(board, FIRST_S + 10, FIRST_S + 300)
    _note(board, FIRST_S + 2 * 3600 + 20)
    assert _ends(board, 10) == [FIRST_S + 300, FIRST_S + 2 * 3600 + 20]
    board.wall_s += 40 * 86_400
    board.one(NoteSample(sample=sample(board.wall_s)))
    assert _ends(board, 300)[0] == FIRST_S + 300
    _note(board, FIRST_S + 31 * 86_400)
    assert FIRST_S + 300 not in _ends(board, 300)


def test_a_clock_that_was_set_back_writes_the_same_step_again(board: Board) -> None:
    _note(board, START_S + 10, submitted=1)
    _note(board, START_S + 10, submitted=2)
    assert [one.submitted for one in board.store.samples(10, 0, 1e12)] == [2]
