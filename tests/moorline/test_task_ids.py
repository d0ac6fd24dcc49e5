from __future__ import annotations

import re
import threading

from moorline.task_ids import TaskIds, new_task_id


def test_ids_are_26_characters_that_any_url_takes() -> None:
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", new_task_id())


def test_ids_grow_also_within_a_millisecond_and_when_the_clock_is_set_back() -> None:
    times = iter([1.0, 1.0, 1.0, 0.5, 0.5, 2.0])
    make = TaskIds(lambda: next(times))
    ids = [make() for _ in range(6)]
    assert ids == sorted(set(ids))


def test_the_first_ten_characters_are_the_time() -> None:
    # The example of the ULID specification's reference implementation.
    make = TaskIds(lambda: 1469918176.385)
    assert make()[:10] == "01ARYZ6S41"


def test_two_makers_make_different_ids() -> None:
    assert len({TaskIds(lambda: 1.0)() for _ in range(100)}) == 100


def test_threads_never_make_the_same_id() -> None:
    made: list[str] = []

    def make_many() -> None:
        made.extend([new_task_id() for _ in range(1000)])

    threads = [threading.Thread(target=make_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4000


def test_a_maker_that_begins_anew_does_not_count_on() -> None:
    make = TaskIds(lambda: 1.0)
    first = make()
    make.forget()
    assert make()[10:18] != first[10:18]
