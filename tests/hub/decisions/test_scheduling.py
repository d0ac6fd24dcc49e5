"""Who can serve what, who is offered, and what a person is told about a task that waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.scheduling import CLASSES_REMEMBERED_MAX, SlotPool, can_serve, misfit
from hub.store.assignments import NodeProfile, Offer
from hub.store.tasks import TaskClass

WORK = TaskClass("work")

SLICE_BYTES = 1000


def profile(node_id: str = "n", *, handlers: str = "work", **labels: str) -> NodeProfile:
    return NodeProfile(node_id=node_id, handlers=frozenset(handlers.split()), labels=labels)


def taken(offers: list[Offer]) -> dict[str, int]:
    return {offer.profile.node_id: offer.free for offer in offers}


@pytest.mark.parametrize(
    ("wanted", "reason", "detail"),
    [
        (TaskClass("work"), None, ""),
        (TaskClass("play"), "handler_unknown", "has no handler named play"),
        (TaskClass("work", (("gpu", "h100"),)), None, ""),
        (TaskClass("work", (("gpu", "a100"),)), "labels", "requires gpu=a100, has gpu=h100"),
        (TaskClass("work", (("gpu", "h100"), ("site", "x"))), "labels", "requires site=x, has no site"),
        (TaskClass("work", (), "n"), None, ""),
        (TaskClass("work", (), "m"), "not_target", "only node m may run it"),
    ],
)
def test_a_node_serves_a_class_or_says_what_is_missing(wanted: TaskClass, reason: str | None, detail: str) -> None:
    node = profile(gpu="h100")
    assert misfit(node, wanted) == ((reason, detail) if reason else None)
    assert can_serve(node, wanted) == (reason is None)


# --- the pool --------------------------------------------------------------------------------------------------------


def test_a_slot_is_offered_once_until_it_is_given_back() -> None:
    pool = SlotPool()
    pool.open(profile(), "i", 2, SLICE_BYTES)
    assert taken(pool.take(WORK, 5)) == {"n": 2}
    assert pool.take(WORK, 1) == []
    pool.give("n", 1)
    assert taken(pool.take(WORK, 5)) == {"n": 1}


def test_nodes_take_turns() -> None:
    pool = SlotPool()
    for node_id in "abc":
        pool.open(profile(node_id), "i", 4, SLICE_BYTES)
    assert taken(pool.take(WORK, 5)) == {"a": 2, "b": 2, "c": 1}
    assert taken(pool.take(WORK, 2)) == {"c": 1, "a": 1}
    assert sum(taken(pool.take(WORK, 100)).values()) == 5


def test_only_nodes_that_can_serve_are_offered() -> None:
    pool = SlotPool()
    pool.open(profile("a", gpu="h100"), "i", 1, SLICE_BYTES)
    pool.open(profile("b"), "i", 1, SLICE_BYTES)
    pool.open(profile("c", handlers="play"), "i", 1, SLICE_BYTES)
    assert taken(pool.take(TaskClass("work", (("gpu", "h100"),)), 9)) == {"a": 1}
    assert taken(pool.take(WORK, 9)) == {"b": 1}
    assert pool.take(TaskClass("none"), 9) == []


def test_a_class_that_is_aimed_at_a_node_asks_only_it() -> None:
    pool = SlotPool()
    pool.open(profile("a"), "i", 3, SLICE_BYTES)
    pool.open(profile("b"), "i", 3, SLICE_BYTES)
    assert taken(pool.take(TaskClass("work", (), "b"), 2)) == {"b": 2}
    assert taken(pool.take(TaskClass("work", (), "b"), 2)) == {"b": 1}
    assert pool.take(TaskClass("work", (), "b"), 2) == []
    assert pool.take(TaskClass("work", (), "gone"), 2) == []


def test_a_closed_node_is_offered_no_more_and_takes_nothing_back() -> None:
    pool = SlotPool()
    pool.open(profile(), "i", 2, SLICE_BYTES)
    pool.take(WORK, 1)
    pool.close("n")
    pool.close("n")
    pool.give("n", 1)
    assert pool.take(WORK, 1) == pool.take_any(9) == pool.take_node("n", 1) == []
    assert (pool.free("n"), len(pool)) == (0, 0)


def test_a_node_that_opens_after_a_class_was_seen_joins_it() -> None:
    pool = SlotPool()
    assert pool.take(WORK, 1) == []
    pool.open(profile(), "i", 1, SLICE_BYTES)
    assert taken(pool.take(WORK, 1)) == {"n": 1}


def test_a_node_that_holds_more_than_its_slots_is_not_offered_until_it_has_room() -> None:
    pool = SlotPool()
    pool.open(profile(), "i", -2, SLICE_BYTES)
    assert pool.take(WORK, 1) == []
    pool.give("n", 2)
    assert pool.take_any(9) == []
    pool.give("n", 1)
    assert taken(pool.take(WORK, 9)) == {"n": 1}


def test_all_nodes_get_their_turn_when_any_are_asked() -> None:
    pool = SlotPool()
    for number in range(5):
        pool.open(profile(f"n{number}"), "i", 2, SLICE_BYTES)
    first, second, third = (taken(pool.take_any(2)) for _ in range(3))
    assert first == {"n0": 2, "n1": 2}
    assert second == {"n2": 2, "n3": 2}
    assert third == {"n4": 2}
    assert pool.take_any(2) == []


def test_the_memory_of_classes_is_bounded() -> None:
    pool = SlotPool()
    pool.open(
        profile(handlers=" ".join(f"h{number}" for number in range(CLASSES_REMEMBERED_MAX + 10))), "i", 1, SLICE_BYTES
    )
    for number in range(CLASSES_REMEMBERED_MAX + 10):
        assert taken(pool.take(TaskClass(f"h{number}"), 1)) == {"n": 1}
        pool.give("n", 1)
    assert len(pool._turns) == len(pool._in_turn) == CLASSES_REMEMBERED_MAX
    assert taken(pool.take(TaskClass("h0"), 1)) == {"n": 1}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4), st.booleans()), max_size=60))
def test_what_is_taken_never_exceeds_what_is_free(steps: list[tuple[str, int, bool]]) -> None:
    pool = SlotPool()
    free = dict.fromkeys("abcd", 3)
    for node_id in free:
        pool.open(profile(node_id), "i", 3, SLICE_BYTES)
    aside: list[Offer] = []
    for node_id, count, takes in steps:
        if takes:
            offers = pool.take(WORK, count)
            for offer in offers:
                free[offer.profile.node_id] -= offer.free
            assert sum(offer.free for offer in offers) <= count
            assert sum(offer.free for offer in offers) == count or not any(free.values())
            aside += offers
        elif aside:
            back = aside.pop(count % len(aside))
            pool.give(back.profile.node_id, back.free)
            free[back.profile.node_id] += back.free
        assert all(pool.free(node_id) == count >= 0 for node_id, count in free.items()), node_id


def test_a_node_that_lost_a_handler_is_offered_for_it_no_more() -> None:
    pool = SlotPool()
    pool.open(profile("a"), "i", 10, SLICE_BYTES)
    pool.open(profile("b"), "i", 10, SLICE_BYTES)
    pool.take(WORK, 1)
    pool.close("a")
    pool.open(profile("a", handlers="play"), "j", 10, SLICE_BYTES)
    assert [taken(pool.take(WORK, 1)) for _ in range(4)] == [{"b": 1}] * 4
