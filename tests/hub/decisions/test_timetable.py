"""What the hub does by itself, and when."""

from __future__ import annotations

import pytest

from hub.decisions.effects import Persist, Ticket
from hub.decisions.retry import RetryPolicy
from hub.decisions.timetable import CLAIM_EVERY_S, SEEN_EVERY_S, SWEEP_EVERY_S
from hub.store.nodes import NodeSeen
from hub.store.sweeps import Sweep, Swept
from protocol import frames
from tests.hub.harness import Hub, done, submit_operation


def test_what_another_writer_queued_is_claimed_in_time(hub: Hub) -> None:
    node = hub.register()
    hub.store.execute([submit_operation("t")], hub.now)
    hub.tick(CLAIM_EVERY_S)
    assert hub.pushed(node) == [("t", 1)]


@pytest.mark.parametrize("clock", ["steady", "wall"])
def test_a_delayed_task_wakes_the_hub_when_it_is_due(hub: Hub, clock: str) -> None:
    node = hub.register()
    hub.tick()
    when = {"delay_s": 0.25} if clock == "steady" else {"not_before": hub.now.wall_s + 0.25}
    hub.submit("t", **when)
    assert hub.core.wake_at_s() <= hub.now_s + 0.25
    hub.tick(0.25)
    assert hub.pushed(node) == [("t", 1)]


def test_who_was_heard_of_is_stored_now_and_then(hub: Hub) -> None:
    node = hub.register()
    hub.tick(SEEN_EVERY_S)
    hub.say(node, frames.Heartbeat(sequence=1, outbox=3, load=0.5, round_trip_ms=1.5))
    hub.now_s += SEEN_EVERY_S
    hub.apply(hub.core.tick(hub.now))
    assert [operation for operation, _ in hub.pending if isinstance(operation, NodeSeen)] == [
        NodeSeen(nodes=[("n", "i")])
    ]
    hub.settle()
    live = hub.core.live("n")
    assert live is not None
    assert (live.outbox, live.load, live.round_trip_ms) == (3, 0.5, 1.5)


def test_a_retry_wakes_the_hub_when_it_is_due(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", retry=RetryPolicy(max_attempts=2, initial_s=10.0))
    hub.say(node, done("t", outcome="failed"))
    hub.settle()
    assert hub.state("t") == "scheduled"
    hub.tick()
    hub.tick(11)
    assert hub.pushed(node) == [("t", 1), ("t", 2)]


def test_a_sweep_that_left_something_is_followed_by_the_next_at_once(hub: Hub) -> None:
    hub.tick()
    assert hub.core.wake_at_s() > hub.now_s
    swept = Swept(due=500, expired=0, removed=0, more=True, next_due_in_s=None)
    hub.apply(hub.core.committed([(Ticket(), swept)], {}, hub.now))
    assert hub.core.wake_at_s() == hub.now_s
    assert [type(effect.operation) for effect in hub.core.tick(hub.now) if isinstance(effect, Persist)] == [Sweep]


def test_a_sweep_that_failed_is_not_waited_for(hub: Hub) -> None:
    hub.apply(hub.core.tick(hub.now))
    assert [type(operation) for operation, _ in hub.pending] == [Sweep]
    hub.fail_next(RuntimeError("a bug"))
    hub.now_s += SWEEP_EVERY_S
    hub.apply(hub.core.tick(hub.now))
    assert [type(operation) for operation, _ in hub.pending] == [Sweep]
