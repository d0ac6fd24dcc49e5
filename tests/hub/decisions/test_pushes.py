"""What is pushed to a node is bounded in bytes, whatever its slots: the rest waits in the store, and may change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store.assignments import Claim, Fetch
from hub.store.nodes import Inherited
from hub.store.tasks import NewTask
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.frames import AttemptKey, Inventory, Register, Resume
from tests.hub.harness import Hub, done

# Two of these are a backlog; a slice is one.
PAYLOAD = b'{"x":"' + b"y" * 92 + b'"}'
BYTES_MAX = 2 * len(PAYLOAD)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Hub]:
    """A hub whose nodes have a small backlog."""
    hub = Hub(tmp_path / "hub.db", backlog_bytes_max=BYTES_MAX)
    yield hub
    hub.store.close()


def named(*task_ids: str) -> list[AttemptKey]:
    return [(task_id, 1) for task_id in task_ids]


def held(hub: Hub, task_id: str) -> bool:
    view = hub.store.task(task_id)
    assert view is not None
    return view.held


def lost_all(hub: Hub, *task_ids: str, slots: int = 8, **options: object) -> int:
    """Have a node's connection break before it had anything of what it was assigned; give its next connection."""
    node = hub.register(slots=slots)
    hub.submit(*task_ids, payload=PAYLOAD, **options)
    hub.read()
    assert hub.pushed(node) == named(*task_ids)
    hub.drop(node)
    return hub.register(slots=slots)


def test_what_a_node_lost_is_pushed_again_in_slices_behind_the_answer(small: Hub) -> None:
    node = lost_all(small, *"abcdef")
    assert isinstance(small.sent[node][0], frames.Registered)
    # Half at a time, until as much waits as may.
    assert small.pushed(node) == named(*"ab")
    small.apply(small.core.mark_left(small.marks.pop()))
    small.settle()
    assert small.pushed(node) == named(*"abc")
    small.read()
    assert small.pushed(node) == named(*"abcdef")
    small.say(node, *(done(task_id) for task_id in "abcdef"))
    small.settle()
    assert {small.state(task_id) for task_id in "abcdef"} == {"succeeded"}


def test_a_node_that_does_not_read_is_assigned_no_more_than_may_wait(small: Hub) -> None:
    node = small.register(slots=8)
    for task_id in "abcdef":
        small.submit(task_id, payload=PAYLOAD)
    assert small.pushed(node) == named(*"ab")
    assert [small.state(task_id) for task_id in "abcdef"] == ["running"] * 2 + ["queued"] * 4
    # Another node takes them.
    other = small.register("m", slots=2)
    assert small.pushed(other) == named("c")
    small.read()
    assert sorted(small.pushed(node) + small.pushed(other)) == named(*"abcdef")


def test_what_was_assigned_beyond_the_room_is_pushed_when_there_is_some(small: Hub) -> None:
    node = small.register(slots=8)
    tasks = "abcdef"
    # Offered together, before the first of them is committed.
    for task_id in tasks:
        task = NewTask(task_id=task_id, name="work", payload=PAYLOAD)
        small.ask(lambda request, task=task: small.core.submit(request, [task], small.now))
    small.settle()
    assert [small.state(task_id) for task_id in tasks] == ["running"] * 6
    assert small.pushed(node) == named(*"ab")
    small.submit("later", payload=PAYLOAD)
    assert small.state("later") == "queued"
    small.read()
    assert small.pushed(node) == named(*tasks, "later")


def test_an_offer_is_filled_up_to_a_slice_and_the_rest_follows_when_it_has_left(small: Hub) -> None:
    small.submit(*"abcd", payload=PAYLOAD)
    node = small.register(slots=8)
    assert small.pushed(node) == named(*"a")
    small.read()
    assert small.pushed(node) == named(*"abcd")


def test_small_tasks_are_pushed_without_a_mark(small: Hub) -> None:
    node = small.register(slots=8)
    small.submit(*"abcd")
    assert small.pushed(node) == named(*"abcd")
    assert small.marks == []


def test_in_a_large_fleet_less_waits_for_each_node_and_it_is_offered_less_at_once(hub: Hub) -> None:
    hub.core.started(Inherited(holders=[], nodes=128, tasks={}), hub.now)
    node = hub.register(slots=40)
    payload = b'{"x":"' + b"y" * 200_000 + b'"}'
    hub.submit(*(f"t{number:02}" for number in range(40)), payload=payload)
    # 2 MiB, and what passes them; twice as much in a small fleet.
    assert len(hub.pushed(node)) == 11
    hub.read()
    assert hub.pushed(node) == named(*(f"t{number:02}" for number in range(40)))


def test_whoever_asks_is_told_what_waits_for_a_node(small: Hub) -> None:
    node = lost_all(small, *"abcdef")
    live = small.core.live("n")
    assert live is not None
    assert (live.unsent_bytes, live.unsent_tasks, live.has_room) == (BYTES_MAX, 4, False)
    assert [small.core.is_unsent("n", (task_id, 1)) for task_id in "abcdef"] == [False] * 2 + [True] * 4
    small.read()
    assert small.pushed(node) == named(*"abcdef")
    live = small.core.live("n")
    assert live is not None
    assert (live.unsent_bytes, live.unsent_tasks, live.has_room) == (0, 0, True)
    assert not small.core.is_unsent("n", ("f", 1))
    assert not small.core.is_unsent("nobody", ("f", 1))


@pytest.mark.parametrize("is_fetching", [False, True])
def test_what_is_cancelled_while_its_push_waits_is_freed_and_never_pushed(small: Hub, is_fetching: bool) -> None:
    node = lost_all(small, *"abcdef")
    if is_fetching:
        small.apply(small.core.mark_left(small.marks.pop()))
        assert isinstance(small.pending[-1][0], Fetch)
        # In front of the fetch, as another call may be.
        fetch = small.pending.pop()
        small.ask(lambda request: small.core.cancel(request, ["c", "e"], ""))
        small.pending.append(fetch)
    else:
        small.ask(lambda request: small.core.cancel(request, ["c", "e"], ""))
    small.settle()
    assert small.frames(node, frames.Cancel) == []
    assert [held(small, task_id) for task_id in "ce"] == [False, False]
    small.read()
    assert small.pushed(node) == named(*"abdf")
    live = small.core.live("n")
    assert live is not None
    assert live.slots_in_use == 4


def test_what_is_cancelled_after_it_was_fetched_is_cancelled_on_the_node(small: Hub) -> None:
    node = lost_all(small, *"abc")
    small.apply(small.core.mark_left(small.marks.pop()))
    small.ask(lambda request: small.core.cancel(request, ["c"], ""))
    small.settle()
    assert small.pushed(node) == named(*"abc")
    (cancel,) = small.frames(node, frames.Cancel)
    assert (cancel.task_id, small.sent[node][-1]) == ("c", cancel)


def test_the_slots_of_what_was_cancelled_while_it_waited_are_offered_again(small: Hub) -> None:
    node = lost_all(small, *"abcd", slots=4)
    small.ask(lambda request: small.core.cancel(request, [*"cd"], ""))
    small.submit("e", "f")
    small.read()
    assert sorted(small.pushed(node)) == named(*"abef")


def test_a_connection_that_is_superseded_gets_nothing_of_what_waited_for_it(small: Hub) -> None:
    first = lost_all(small, *"abcdef")
    mark = small.marks.pop()
    small.apply(small.core.mark_left(mark))
    second = small.connect()
    # The fetch for the first connection is under way.
    small.say(second, Resume(session_id="s2", instance_id="i", inventory=Inventory(running=named("a"))))
    small.settle()
    small.apply(small.core.mark_left(mark))
    small.read()
    assert small.pushed(first) == named(*"ab")
    assert small.pushed(second) == named(*"bcdef")


def test_a_node_that_dies_meanwhile_loses_what_waited_by_its_policy(small: Hub) -> None:
    lost_all(small, *"abcd")
    second = small.register(instance_id="j", predecessors=["i"], slots=8)
    small.read()
    assert sorted(small.pushed(second)) == [(task_id, 2) for task_id in "abcd"]


def test_a_result_for_what_waits_settles_it_and_it_is_not_pushed(small: Hub) -> None:
    node = lost_all(small, *"abcd")
    small.say(node, done("d"))
    small.settle()
    small.read()
    assert small.state("d") == "succeeded"
    assert small.pushed(node) == named(*"abc")
    small.say(node, *(done(task_id) for task_id in "abc"))
    small.submit(*"efghijkl")
    assert len(small.pushed(node)) == 3 + 8


def test_what_waits_is_queued_again_when_the_node_says_bye(small: Hub) -> None:
    node = lost_all(small, *"abcd")
    small.say(node, frames.Bye())
    small.settle()
    small.read()
    assert [small.state(task_id) for task_id in "abcd"] == ["queued"] * 4
    assert small.pushed(node) == named(*"ab")


def test_a_hub_that_stops_fetches_no_more(small: Hub) -> None:
    node = lost_all(small, *"abcd")
    small.apply(small.core.stop())
    small.read()
    assert small.pushed(node) == named(*"ab")
    assert not small.pending


def test_nothing_is_fetched_while_the_store_takes_no_commits_and_all_of_it_after(small: Hub) -> None:
    node = lost_all(small, *"abcdef")
    small.apply(small.core.store_degraded("full"))
    small.apply(small.core.mark_left(small.marks.pop()))
    # One operation, however long it takes.
    small.apply(small.core.tick(small.now))
    assert [type(operation) for operation, _ in small.pending] == [Fetch]
    assert small.pushed(node) == named(*"ab")
    small.apply(small.core.store_recovered(small.now))
    small.settle()
    small.read()
    assert small.pushed(node) == named(*"abcdef")


def test_a_cordoned_node_is_pushed_what_it_was_assigned_and_nothing_else(small: Hub) -> None:
    node = lost_all(small, *"abcd")
    small.ask(lambda request: small.core.wish(request, "n", cordoned=True))
    small.submit("e")
    small.read()
    assert small.pushed(node) == named(*"abcd")
    small.ask(lambda request: small.core.wish(request, "n", cordoned=False))
    small.settle()
    assert small.pushed(node) == named(*"abcde")


def test_a_fetch_that_failed_closes_the_connection_so_that_the_next_begins_anew(small: Hub) -> None:
    node = small.register(slots=8)
    small.submit(*"ab", payload=PAYLOAD)
    small.drop(node)
    second = small.connect()
    small.say(second, Register(node_id="n", instance_id="i", slots=8, handlers=["work"], inventory=Inventory()))
    small.commit()
    small.fail_next(ValueError("broken"))
    assert small.closes[second][0] is CloseCode.INTERNAL_ERROR
    assert [alarm.kind for alarm in small.alarms] == ["operation_failed"]
    small.drop(second)
    third = small.register(slots=8)
    assert small.pushed(third) == named(*"ab")


def test_a_mark_of_a_connection_that_is_gone_changes_nothing(small: Hub) -> None:
    node = small.register(slots=8)
    assert small.core.mark_left(node + 1) == []
    small.drop(node)
    assert small.core.mark_left(node) == []


def test_a_node_with_free_slots_claims_again_when_a_slice_has_left(small: Hub) -> None:
    node = small.register(slots=8)
    small.submit("a", payload=PAYLOAD)
    assert small.marks == [node]
    small.apply(small.core.mark_left(small.marks.pop()))
    assert [type(operation) for operation, _ in small.pending] == [Claim]
