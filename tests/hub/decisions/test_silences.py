"""When silence frees an attempt, and when it must not."""

from __future__ import annotations

from pathlib import Path

from protocol import frames
from protocol.frames import Inventory, Resume
from tests.hub.harness import Hub, done


def beat(hub: Hub, connection: int) -> None:
    hub.say(connection, frames.Heartbeat(sequence=1))


def test_an_attempt_is_freed_when_its_lease_and_the_margin_ran_out_and_not_before(hub: Hub) -> None:
    first = hub.register("n")
    hub.submit("t", lease_s=100)
    hub.drop(first)
    second = hub.register("m")
    for _ in range(10):
        hub.say(second, frames.Heartbeat(sequence=1))
        hub.tick(10)
    assert hub.state("t") == "running"
    hub.say(second, frames.Heartbeat(sequence=2))
    hub.tick(7)
    hub.tick(7)
    assert hub.pushed(second) == [("t", 2)]
    assert "lease_expired" in [alarm.kind for alarm in hub.alarms]
    late = hub.register("n", inventory=Inventory(results=[("t", 1)]))
    assert hub.frames(late, frames.Verdicts) == [frames.Verdicts(forget=[("t", 1)])]


def test_a_hub_that_starts_counts_every_lease_as_renewed(tmp_path: Path) -> None:
    before = Hub(tmp_path / "hub.db")
    before.register("n")
    before.submit("t", lease_s=100)
    before.store.close()
    after = Hub(tmp_path / "hub.db")
    after.now_s += 10_000
    after.start()
    after.tick(99)
    assert after.state("t") == "running"
    after.tick(8)
    assert after.state("t") == "queued"
    after.store.close()


def test_a_heartbeat_renews_the_lease(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", lease_s=1)
    for number in range(1, 20):
        hub.tick(10)
        hub.say(node, frames.Heartbeat(sequence=number))
    assert hub.state("t") == "running"


def test_a_fleet_that_falls_silent_at_once_frees_nothing(hub: Hub) -> None:
    nodes = [hub.register(f"n{number}") for number in range(4)]
    hub.submit(*"abcd", lease_s=60)
    for node in nodes[:3]:
        hub.drop(node)
    hub.tick(31)
    hub.tick(60)
    assert [alarm.kind for alarm in hub.alarms].count("fleet_silent") == 1
    assert {hub.state(task_id) for task_id in "abcd"} == {"running"}
    for number in range(3):
        view = [key for key in "abcd" if hub.holder(key) == f"n{number}"]
        hub.register(f"n{number}", inventory=Inventory(running=[(key, 1) for key in view]))
    hub.tick(1)
    assert [alarm.kind for alarm in hub.alarms].count("fleet_back") == 1


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
