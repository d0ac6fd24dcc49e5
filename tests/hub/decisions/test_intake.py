"""What of the nodes' results may wait for the store, in bytes, and whose connection is read no further until it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from hub.decisions.intake import RESULT_BYTES, Intake, IntakeBounds, size_bytes
from hub.decisions.leases import SILENT_HEARTBEATS
from hub.store.attempts import AttemptResult
from protocol import frames
from protocol.frames import TaskError
from protocol.limits import RESULT_BYTES_MAX
from tests.hub.harness import Hub, done

BOUNDS = IntakeBounds(node_bytes_max=100, all_bytes_max=250, share_bytes=20)

VALUE = Raw(b'"' + b"x" * 2000 + b'"')
WAITS_BYTES = RESULT_BYTES + len(bytes(VALUE))


def test_a_node_is_read_until_its_results_have_filled_their_room() -> None:
    intake = Intake(BOUNDS)
    intake.add("n", 99)
    assert not intake.is_full("n")
    intake.add("n", 1)
    assert (intake.is_full("n"), intake.is_full("m"), intake.waiting_bytes) == (True, False, 100)
    intake.take_off("n", 99)
    assert not intake.is_full("n")
    intake.take_off("n", 1)
    assert intake.waiting_bytes == 0


def test_where_all_together_fill_the_hub_each_still_has_its_share() -> None:
    intake = Intake(BOUNDS)
    for node_id in ("a", "b", "c"):
        intake.add(node_id, 90)
    intake.add("quiet", 19)
    assert [intake.is_full(node_id) for node_id in ("a", "quiet", "new")] == [True, False, False]
    intake.take_off("a", 90)
    assert not intake.is_full("b")


def test_a_result_counts_with_its_value_the_text_of_its_error_and_what_holds_them() -> None:
    plain = AttemptResult(task_id="t", attempt=1, node_id="n", outcome="succeeded", value=b"12345")
    error = TaskError(kind="error", message="abc", traceback="defg")
    failed = AttemptResult(task_id="u", attempt=1, node_id="n", outcome="failed", error=error)
    assert size_bytes([plain, failed]) == 2 * RESULT_BYTES + 5 + 7


def test_the_bounds_let_any_single_result_through() -> None:
    bounds = IntakeBounds()
    assert RESULT_BYTES_MAX < bounds.node_bytes_max < bounds.all_bytes_max
    assert bounds.share_bytes >= RESULT_BYTES


# --- in the core ------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub that reads two of these results of a node before it leaves it unread, and three of all."""
    bounds = IntakeBounds(node_bytes_max=2 * WAITS_BYTES, all_bytes_max=3 * WAITS_BYTES, share_bytes=WAITS_BYTES)
    hub = Hub(tmp_path / "hub.db", intake=bounds)
    yield hub
    hub.store.close()


def test_a_connection_is_not_read_while_its_results_wait_and_read_on_when_they_are_committed(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", "u")
    hub.say(node, done("t", value=VALUE))
    assert hub.unread == set()
    hub.say(node, done("u", value=VALUE))
    assert hub.unread == {node}
    assert (hub.core.results_waiting_bytes, hub.core.connections_unread) == (2 * WAITS_BYTES, 1)
    hub.commit(1)
    assert hub.unread == set()
    hub.settle()
    acked = [key for frame in hub.frames(node, frames.Ack) for key in frame.attempts]
    assert acked == [("t", 1), ("u", 1)]
    assert (hub.core.results_waiting_bytes, hub.core.connections_unread) == (0, 0)


def test_a_connection_is_read_on_when_its_results_could_not_be_recorded(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", "u")
    hub.say(node, done("t", value=VALUE), done("u", value=VALUE))
    assert hub.unread == {node}
    hub.fail_next(ValueError("broken"))
    assert hub.unread == set()
    assert hub.core.results_waiting_bytes == 0


def test_a_full_hub_leaves_unread_who_brings_much_and_hears_who_brings_little(hub: Hub) -> None:
    *many, quiet = [hub.register(name, f"instance-{name}", slots=1) for name in ("a", "b", "c", "quiet")]
    hub.submit("t0", "t1", "t2", "t3")
    for connection in many:
        ((task_id, _),) = hub.pushed(connection)
        hub.say(connection, done(task_id, value=VALUE))
    assert hub.unread == {many[-1]}
    ((task_id, _),) = hub.pushed(quiet)
    hub.say(quiet, done(task_id), frames.Heartbeat(sequence=1))
    assert hub.unread == {many[-1]}
    assert hub.frames(quiet, frames.HeartbeatAck)
    hub.settle()
    assert hub.unread == set()


def test_who_is_not_read_is_not_silent(hub: Hub) -> None:
    node = hub.register()
    hub.submit("t", "u")
    hub.say(node, done("t", value=VALUE), done("u", value=VALUE))
    hub.core.store_degraded("the disk hangs")
    for _ in range(4 * SILENT_HEARTBEATS):
        hub.now_s += 4.0
        hub.apply(hub.core.tick(hub.now))
    assert hub.closes == {}
    hub.apply(hub.core.store_recovered(hub.now))
    hub.settle()
    assert hub.unread == set()
    assert hub.core.live("n") is not None


def test_a_node_that_comes_back_is_read_whatever_waits_of_its_last_connection(hub: Hub) -> None:
    old = hub.register()
    hub.submit("t", "u")
    hub.say(old, done("t", value=VALUE), done("u", value=VALUE))
    hub.drop(old)
    hub.unread.clear()
    new = hub.register()
    assert hub.unread == set()
    assert hub.core.connections_unread == 0
    assert hub.frames(new, frames.Registered)
