"""What must hold when things cross: a farewell and an assignment, a return and a release, a full disk and a lease."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from hub.conversation import LOGS_UNDER_WAY_MAX
from hub.results import RESULTS_UNDER_WAY_MAX
from hub.store.attempts import Record
from hub.store.logs import AppendLogs
from hub.store.tasks import NewTask
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.codec import encode, hub_frames_decoder, node_frames_decoder
from protocol.errors import BadFrameError, OutOfTurnError, ProtocolError
from protocol.frames import Inventory, LogLine, Resume
from protocol.limits import SLOTS_MAX
from tests.hub.harness import Hub, done, new


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path / "hub.db")
    yield hub
    hub.store.close()


def beat(hub: Hub, connection: int) -> None:
    hub.say(connection, frames.Heartbeat(sequence=1))


def test_what_is_assigned_while_a_node_says_bye_is_queued_again_and_is_no_loss(hub: Hub) -> None:
    node = hub.register()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.say(node, frames.Drain(), frames.Bye(reason="drained"))
    hub.settle()
    assert hub.pushed(node) == []
    assert hub.state("t") == "queued"
    other = hub.register("m")
    assert hub.pushed(other) == [("t", 2)]
    view = hub.store.task("t")
    assert view is not None
    assert (view.losses, view.failures) == (0, 0)


def test_a_task_that_may_not_run_twice_survives_a_bye_that_crosses_it(hub: Hub) -> None:
    node = hub.register()
    hub.submit()
    hub.ask(lambda request: hub.core.submit(request, [new("t")], hub.now))
    hub.say(node, frames.Bye())
    hub.settle()
    hub.tick(400)
    assert hub.state("t") == "queued"


def test_after_a_full_disk_who_was_refused_has_time_to_bring_its_result(hub: Hub) -> None:
    first = hub.register()
    hub.submit("t", on_lost="fail")
    hub.apply(hub.core.store_degraded("disk full"))
    hub.drop(first)
    hub.pending.clear()
    for _ in range(40):
        hub.now_s += 10
        refused = hub.connect()
        hub.say(refused, Resume(session_id="s1", instance_id="i", inventory=Inventory(results=[("t", 1)])))
        assert hub.frames(refused, frames.Refused)
    hub.apply(hub.core.store_recovered(hub.now))
    hub.settle()
    second = hub.register(inventory=Inventory(results=[("t", 1)]))
    hub.say(second, done("t"))
    hub.settle()
    assert hub.state("t") == "succeeded"


def test_who_waited_for_a_full_disk_to_be_registered_has_not_been_silent(hub: Hub) -> None:
    hub.drop(hub.register())
    hub.settle()
    hub.submit("t", lease_s=10)
    back = hub.connect()
    hub.say(back, Resume(session_id="s1", instance_id="i", inventory=Inventory()))
    hub.apply(hub.core.store_degraded("disk full"))
    for _ in range(20):
        hub.now_s += 2
        hub.apply(hub.core.tick(hub.now))
    hub.apply(hub.core.store_recovered(hub.now))
    hub.settle()
    assert hub.pushed(back) == [("t", 1)]
    hub.tick(1)
    assert back not in hub.closes
    assert hub.state("t") == "running"


def test_a_lease_counts_from_the_end_of_a_full_disk_also_where_the_broken_connection_was_not_noticed(hub: Hub) -> None:
    hub.register()
    hub.submit("t", on_lost="fail", lease_s=10)
    hub.apply(hub.core.store_degraded("disk full"))
    for _ in range(10):
        hub.now_s += 2
        hub.apply(hub.core.tick(hub.now))
    # The node has dialled anew all the time, and was refused; its old connection still seems to be there.
    hub.apply(hub.core.store_recovered(hub.now))
    hub.tick(12)
    second = hub.register(inventory=Inventory(results=[("t", 1)]))
    hub.say(second, done("t"))
    hub.settle()
    assert hub.state("t") == "succeeded"


def test_a_hub_that_stood_still_frees_nothing_for_its_own_silence(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", on_lost="fail", lease_s=30)
    hub.tick(5)
    hub.now_s += 45
    hub.apply(hub.core.tick(hub.now))
    hub.settle()
    assert node not in hub.closes
    hub.say(node, done("t"))
    hub.settle()
    assert hub.state("t") == "succeeded"


def test_a_node_that_is_on_its_way_back_keeps_what_it_runs(hub: Hub) -> None:
    first = hub.register("n")
    hub.submit("t", lease_s=60)
    hub.drop(first)
    other = hub.register("m")
    for _ in range(65):
        beat(hub, other)
        hub.tick(1)
    back = hub.connect()
    hub.say(back, Resume(session_id="s1", instance_id="i", inventory=Inventory(running=[("t", 1)])))
    hub.now_s += 2
    hub.apply(hub.core.tick(hub.now))
    hub.settle()
    assert hub.frames(back, frames.Verdicts) == [frames.Verdicts(keep=[("t", 1)])]
    assert hub.pushed(other) == []


@pytest.mark.parametrize("is_resume", [False, True])
def test_a_greeting_that_arrives_behind_that_of_a_newer_connection_is_dropped(hub: Hub, is_resume: bool) -> None:
    late = hub.connect()
    node = hub.register()
    hub.submit("t")
    assert hub.pushed(node) == [("t", 1)]
    hub.ask(lambda request: hub.core.cancel(request, ["t"], ""))
    hub.settle()
    # The node has left this connection before it had the task: what it says there holds no more.
    stale = Resume(session_id="s1", instance_id="i", inventory=Inventory())
    fresh = frames.Register(node_id="n", instance_id="i", slots=2, handlers=["work"], inventory=Inventory())
    hub.say(late, stale if is_resume else fresh)
    hub.settle()
    view = hub.store.task("t")
    assert view is not None
    assert view.held
    assert node not in hub.closes
    assert hub.closes[late][0] == CloseCode.SUPERSEDED


def test_a_node_with_every_slot_in_use_and_the_longest_ids_can_register() -> None:
    keys = [(f"{number:04d}-" + "x" * 123, 2**31 - 1) for number in range(SLOTS_MAX)]
    greeting = Resume(session_id="s", instance_id="i", inventory=Inventory(running=keys))
    assert node_frames_decoder().decode(encode(greeting)) == [greeting]


def test_log_lines_on_their_way_to_the_store_are_bounded_and_the_rest_is_counted(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    line = LogLine(task_id="t", attempt=1, at=0.0, level="INFO", message="x")
    for _ in range(LOGS_UNDER_WAY_MAX + 10):
        hub.say(node, frames.Log(lines=[line]))
    assert sum(isinstance(operation, AppendLogs) for operation, _ in hub.pending) == LOGS_UNDER_WAY_MAX
    assert hub.core.counts["log_lines_dropped"] == 10
    hub.settle()
    hub.say(node, frames.Log(lines=[line]))
    assert sum(isinstance(operation, AppendLogs) for operation, _ in hub.pending) == 1


def test_results_on_their_way_to_the_store_are_bounded(hub: Hub) -> None:
    node = hub.register()
    for number in range(RESULTS_UNDER_WAY_MAX):
        hub.say(node, done(f"invented{number}"))
    with pytest.raises(OutOfTurnError, match="results that are not acked"):
        hub.say(node, done("one-more"))
    waiting = sum(len(operation.results) for operation, _ in hub.pending if isinstance(operation, Record))
    assert waiting == RESULTS_UNDER_WAY_MAX


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


@pytest.mark.parametrize(
    "behind",
    [
        Resume(session_id="s", instance_id="i", inventory=Inventory()),
        frames.Result(task_id="x", attempt=1, outcome="succeeded", value=Raw(b"[" * 200 + b"]" * 200)),
    ],
)
def test_a_bye_in_a_message_that_is_refused_leaves_no_ghost(hub: Hub, behind: frames.NodeFrame) -> None:
    node = hub.register()
    with pytest.raises(ProtocolError):
        hub.say(node, frames.Bye(), behind)
    hub.drop(node, "protocol error")
    hub.settle()
    view = hub.store.node("n")
    assert view is not None
    assert view.state == "unreachable"


def test_a_release_that_failed_is_tried_again(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", lease_s=10)
    hub.drop(node)
    hub.settle()
    for _ in range(9):
        hub.now_s += 2
        hub.apply(hub.core.tick(hub.now))
    while hub.pending:
        hub.fail_next(RuntimeError("a bug"))
    hub.tick(10)
    assert hub.state("t") == "queued"


def test_progress_of_what_a_dead_instance_held_is_dropped(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", on_lost="fail")
    hub.say(node, frames.Progress(task_id="t", attempt=1, done=1.0))
    hub.drop(node)
    hub.register(instance_id="j", predecessors=["i"])
    assert hub.state("t") == "lost"
    assert hub.core.progress("t") is None


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


def test_a_value_that_is_not_json_is_refused(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t")
    with pytest.raises(BadFrameError, match="the value of t/1"):
        hub.say(node, done("t", value=Raw(b'"\xff"')))
    with pytest.raises(BadFrameError, match="at most 262144 are allowed"):
        hub.say(node, done("t", value=Raw(b'"' + b"x" * 262_144 + b'"')))


@pytest.mark.parametrize("task_id", ["a b", "a\n", "-a", "ä"])
def test_a_result_for_what_cannot_be_a_task_is_refused(hub: Hub, task_id: str) -> None:
    node = hub.register()
    with pytest.raises(BadFrameError, match="task_id"):
        hub.say(node, done(task_id))
