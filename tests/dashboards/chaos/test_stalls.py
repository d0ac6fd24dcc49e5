from __future__ import annotations

from dashboards.chaos.stalls import longest_stall_s

ALL = [(0.0, 100.0)]


def test_the_longest_gap_between_ends_is_the_stall() -> None:
    assert longest_stall_s([1, 2, 9, 10], ALL, []) == (7, 0)


def test_a_gap_without_work_is_none() -> None:
    assert longest_stall_s([1, 2, 9, 10], [(0.0, 2.5), (8.5, 10.0)], []) == (1, 0)


def test_what_falls_to_a_hub_that_is_away_is_told_apart() -> None:
    assert longest_stall_s([1, 20], ALL, [(3, 10)]) == (10, 7)
    assert longest_stall_s([1, 20], ALL, [(0, 30)]) == (0, 19)
    assert longest_stall_s([1, 20], ALL, [(2, 5), (8, 12)]) == (8, 4)


def test_without_ends_there_is_no_stall() -> None:
    assert longest_stall_s([], ALL, []) == (0, 0)
