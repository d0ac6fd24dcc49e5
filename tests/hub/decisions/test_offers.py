"""Free slots are offered once, and what they are filled with is pushed where it was offered."""

from __future__ import annotations

from hub.store.submissions import Submitted
from hub.store.tasks import NewTask
from protocol import frames
from protocol.codec import encode, hub_frames_decoder
from protocol.frames import Inventory, Resume
from tests.hub.harness import Hub, done, new


def test_a_task_goes_out_in_the_commit_that_accepts_it(hub: Hub) -> None:
    node = hub.register()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    assert hub.pushed(node) == []
    hub.commit()
    assert hub.pushed(node) == [("t", 1)]
    answer = hub.replies[1]
    assert isinstance(answer, Submitted)
    assert [item.task_id for item in answer.accepted] == ["t"]


def test_the_slots_that_results_free_are_filled_in_the_same_commit(hub: Hub) -> None:
    node = hub.register(slots=2)
    hub.submit("a", "b", "c", "d")
    assert hub.pushed(node) == [("a", 1), ("b", 1)]
    hub.say(node, done("a"), done("b"))
    hub.commit()
    assert hub.pushed(node)[2:] == [("c", 1), ("d", 1)]


def test_slots_are_never_offered_twice(hub: Hub) -> None:
    node = hub.register(slots=2)
    for task_id in "abcd":
        hub.ask(lambda request, task_id=task_id: hub.core.submit(request, [new(task_id)], hub.now))
    hub.settle()
    assert len(hub.pushed(node)) == 2
    for task_id, _ in hub.pushed(node)[:2]:
        hub.say(node, done(task_id))
        hub.say(node, done(task_id))
    hub.settle()
    assert len(hub.pushed(node)) == 4
    for task_id, _ in hub.pushed(node)[2:]:
        hub.say(node, done(task_id))
    hub.settle()
    hub.submit("e", "f", "g")
    assert len(hub.pushed(node)) == 6


def test_an_assignment_for_a_connection_that_broke_is_pushed_by_the_next_reconcile_only(hub: Hub) -> None:
    first = hub.register()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.drop(first)
    second = hub.connect()
    hub.say(second, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    hub.settle()
    assert hub.pushed(first) == []
    assert hub.pushed(second) == [("t", 1)]
    hub.say(second, done("t"))
    hub.submit("u", "v")
    assert sorted(hub.pushed(second)) == [("t", 1), ("u", 1), ("v", 1)]


def test_what_waits_is_claimed_when_a_node_comes(hub: Hub) -> None:
    hub.submit("a", "b", "c")
    node = hub.register(slots=2)
    assert hub.pushed(node) == [("a", 1), ("b", 1)]


def test_a_node_that_came_back_with_fewer_slots_is_not_given_more_than_it_has(hub: Hub) -> None:
    first = hub.register(slots=4)
    hub.submit(*"abcd")
    hub.drop(first)
    hub.submit(*(f"q{number}" for number in range(20)))
    results = [(task_id, 1) for task_id in "abcd"]
    second = hub.register(instance_id="j", slots=2, predecessors=["i"], inventory=Inventory(results=results))
    hub.say(second, *(done(task_id) for task_id in "abcd"))
    hub.settle()
    assert len(hub.pushed(second)) == 2
    for task_id, _ in hub.pushed(second):
        hub.say(second, done(task_id))
    hub.settle()
    assert len(hub.pushed(second)) == 4


def test_a_payload_that_was_written_over_several_lines_travels_in_one(hub: Hub) -> None:
    node = hub.register()
    task = NewTask(task_id="t", name="work", payload=b'{\r\n  "a": 1\n}')
    hub.ask(lambda request: hub.core.submit(request, [task], hub.now))
    hub.settle()
    (frame,) = hub.frames(node, frames.Task)
    line = encode(frame)
    assert b"\n" not in line
    decoder = hub_frames_decoder()
    assert len(decoder.decode(b'{"type":"news"}\n' + line)) == decoder.unknown_frames == 1
