"""What may wait to be sent to one node, in bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.backlog import ALL_BYTES_MAX, BACKLOG_BYTES_MAX, FETCH_KEYS_MAX, Backlog, room_bytes
from hub.store.assignments import Assignment
from protocol.frames import AttemptKey
from protocol.limits import PAYLOAD_BYTES_MAX

BYTES_MAX = 100


def assigned(*sizes: int, prefix: str = "t") -> list[Assignment]:
    return [
        Assignment(
            task_id=f"{prefix}{number}",
            attempt=1,
            node_id="n",
            instance_id="i",
            name="work",
            payload=b"x" * size,
            timeout_s=None,
            lease_s=60.0,
        )
        for number, size in enumerate(sizes)
    ]


def keys(items: object) -> list[AttemptKey]:
    return [(item.task_id, item.attempt) for item in items]  # type: ignore[attr-defined]


def test_what_fits_is_sent_as_it_is() -> None:
    backlog = Backlog(BYTES_MAX)
    items = assigned(30, 30, 30)
    assert backlog.admit(items) is items
    assert (backlog.waiting_bytes, backlog.is_full) == (90, False)


def test_the_task_that_passes_the_bound_goes_too_and_the_rest_is_kept_in_order() -> None:
    backlog = Backlog(BYTES_MAX)
    assert keys(backlog.admit(assigned(60, 60, 60, 60))) == [("t0", 1), ("t1", 1)]
    assert (backlog.waiting_bytes, backlog.is_full) == (120, True)
    assert list(backlog.kept) == [("t2", 1), ("t3", 1)]
    # Behind what is kept, however small.
    assert keys(backlog.admit(assigned(1, prefix="u"))) == []
    assert list(backlog.kept) == [("t2", 1), ("t3", 1), ("u0", 1)]


def test_one_task_is_always_sent_however_large() -> None:
    backlog = Backlog(1)
    assert keys(backlog.admit(assigned(1_000_000))) == [("t0", 1)]


def test_small_tasks_set_no_mark_before_they_come_to_a_slice() -> None:
    backlog = Backlog(BYTES_MAX)
    backlog.admit(assigned(*[10] * 4))
    assert not backlog.set_mark()
    backlog.admit(assigned(10))
    assert backlog.set_mark()
    # One at a time.
    backlog.admit(assigned(*[10] * 5))
    assert not backlog.set_mark()
    backlog.mark_left()
    assert backlog.waiting_bytes == 50
    assert backlog.set_mark()
    backlog.mark_left()
    assert (backlog.waiting_bytes, backlog.is_full) == (0, False)


def test_while_one_half_leaves_the_next_is_fetched() -> None:
    backlog = Backlog(BYTES_MAX)
    backlog.keep(("t", number) for number in range(3))
    assert backlog.next_keys() == [("t", 0), ("t", 1), ("t", 2)]
    backlog.is_fetching = True
    assert backlog.next_keys() == []
    backlog.is_fetching = False
    backlog.waiting_bytes = 50
    assert backlog.next_keys() != []
    backlog.waiting_bytes = 51
    assert backlog.next_keys() == []


def test_one_fetch_names_so_many_keys_and_no_more() -> None:
    backlog = Backlog(BYTES_MAX)
    backlog.keep(("t", number) for number in range(2 * FETCH_KEYS_MAX))
    assert backlog.next_keys() == [("t", number) for number in range(FETCH_KEYS_MAX)]


def test_what_was_fetched_is_sent_once_and_what_is_gone_is_not() -> None:
    backlog = Backlog(BYTES_MAX)
    items = assigned(10, 10, 10)
    backlog.keep(keys(items))
    assert keys(backlog.release(items[:2], [("t2", 1)])) == [("t0", 1), ("t1", 1)]
    assert (backlog.waiting_bytes, backlog.is_full) == (20, False)
    assert backlog.release(items, []) == []


def test_a_slice_holds_any_task() -> None:
    assert Backlog(BACKLOG_BYTES_MAX).slice_bytes >= PAYLOAD_BYTES_MAX


@given(
    bytes_max=st.integers(1, 200),
    sizes=st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=8), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_all_is_sent_in_order_within_the_bound_whatever_the_sizes(
    bytes_max: int, sizes: list[list[int]], order: object
) -> None:
    backlog = Backlog(bytes_max)
    largest = max(size for group in sizes for size in group)
    stored: dict[AttemptKey, Assignment] = {}
    sent: list[AttemptKey] = []
    coming = [assigned(*group, prefix=f"{number}-") for number, group in enumerate(sizes)]
    expected = keys(item for group in coming for item in group)
    marks = 0
    while coming or backlog.kept or marks:
        may = {"assign": coming, "mark": marks, "fetch": backlog.next_keys()}
        steps = [step for step, is_due in may.items() if is_due]
        # Nothing stands still for ever.
        assert steps
        match order.choice(steps):  # type: ignore[attr-defined]
            case "assign":
                group = coming.pop(0)
                stored.update(zip(keys(group), group, strict=True))
                sent += keys(backlog.admit(group))
            case "mark":
                marks -= 1
                backlog.mark_left()
            case "fetch":
                found: list[Assignment] = []
                for key in backlog.next_keys():
                    if sum(len(item.payload) for item in found) < backlog.slice_bytes:
                        found.append(stored[key])
                sent += keys(backlog.release(found, []))
        marks += backlog.set_mark()
        assert marks <= 1
        assert backlog.waiting_bytes < bytes_max + largest
    assert sent == expected


def test_a_large_fleet_shares_what_may_wait_for_all_of_it() -> None:
    assert [room_bytes(BACKLOG_BYTES_MAX, nodes) for nodes in (0, 1, 64)] == [BACKLOG_BYTES_MAX] * 3
    assert room_bytes(BACKLOG_BYTES_MAX, 1000) * 1000 <= ALL_BYTES_MAX
    assert room_bytes(BACKLOG_BYTES_MAX, 1_000_000) == PAYLOAD_BYTES_MAX
    # What a test asks for is not raised.
    assert room_bytes(1, 1_000_000) == 1
