from __future__ import annotations

from hub.http.task_ids import TaskIds
from protocol.limits import is_identifier


def test_ids_ascend_within_a_millisecond_and_when_the_clock_is_set_back() -> None:
    times = iter([5.0, 5.0, 5.0, 6.0, 4.0, 4.0])
    make = TaskIds(lambda: next(times))
    made = [make() for _ in range(6)]
    assert made == sorted(set(made))
    assert all(len(one) == 26 and is_identifier(one) for one in made)


def test_ids_begin_with_the_time() -> None:
    early, late = TaskIds(lambda: 1_000_000.0)(), TaskIds(lambda: 2_000_000_000.0)()
    assert early < late
    assert early[:10] == TaskIds(lambda: 1_000_000.0)()[:10]


def test_ids_of_two_makers_differ() -> None:
    assert TaskIds(lambda: 5.0)() != TaskIds(lambda: 5.0)()
