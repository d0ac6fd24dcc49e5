from __future__ import annotations

from moorline.pauses import RETRY_AFTER_S_MAX, Pauses


def test_pauses_double_up_to_their_bound() -> None:
    pauses = Pauses(first_s=1, maximum_s=10, luck=lambda: 1.0)
    assert [pauses.after(failures) for failures in (1, 2, 3, 4, 5, 10_000)] == [1, 2, 4, 8, 10, 10]


def test_chance_takes_up_to_half_of_a_pause() -> None:
    assert Pauses(first_s=1, maximum_s=10, luck=lambda: 0.0).after(1) == 0.5
    assert 0.5 <= Pauses(first_s=1, maximum_s=10).after(1) <= 1


def test_what_the_hub_asks_for_is_honoured_within_reason() -> None:
    pauses = Pauses(first_s=1, maximum_s=10, luck=lambda: 1.0)
    assert pauses.after(1, 7) == 7
    assert pauses.after(1, 0.1) == 1
    assert pauses.after(1, 1e9) == RETRY_AFTER_S_MAX
