"""What happens to attempts when their node is killed, stopped, drained, or told to cancel; with real processes."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorline import Client, Retry, TaskCancelled, TaskFailed, TaskLost
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.waiting import until, until_told


def started(fleet: Fleet, *handles: Any) -> Callable[[], bool]:
    return lambda: all(fleet.truth.starts_of(handle.id) for handle in handles)


async def test_a_killed_nodes_attempts_run_again_once_and_only_where_they_may(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        again = await client.submit(app.hold, str(gate))
        never = await client.submit(app.hold.options(on_lost="fail"), str(gate))
        child = await client.submit(app.hold_in_process, str(gate))
        await until(started(fleet, again, never, child), "three tasks running")
        node.kill()
        node.start()
        with pytest.raises(TaskLost, match="on_lost is fail"):
            await never.result(PATIENCE_S)
        await until(lambda: fleet.truth.starts_of(again.id) == fleet.truth.starts_of(child.id) == 2, "second attempts")
        gate.write_text("seen")
        assert await again.result(PATIENCE_S) == await child.result(PATIENCE_S) == "seen"
    assert fleet.truth.starts() == {
        (again.id, 1): 1,
        (again.id, 2): 1,
        (never.id, 1): 1,
        (child.id, 1): 1,
        (child.id, 2): 1,
    }


async def test_results_in_the_outbox_of_a_killed_node_arrive_after_its_restart(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        handles = [await client.submit(app.hold, str(gate)) for _ in range(5)]
        await until(started(fleet, *handles), "five tasks running")
        fleet.hub.kill()
        gate.write_text("seen")
        await until(lambda: sum(line["event"] == "end" for line in fleet.truth.lines()) == 5, "five handlers ended")
        await until(lambda: outbox_rows(fleet.folder / "n") == 5, "five results stored")
        node.kill()
        fleet.hub.start()
        node.start()
        assert [await handle.result(PATIENCE_S) for handle in handles] == ["seen"] * 5
    assert all(fleet.truth.starts_of(handle.id) == 1 for handle in handles)


def outbox_rows(state: Path) -> int:
    """Count results that wait, as an operator with sqlite3 would."""
    connection = sqlite3.connect(f"file:{state / 'outbox.sqlite3'}?mode=ro", uri=True)
    try:
        (count,) = connection.execute("SELECT COUNT(*) FROM journal").fetchone()
        return int(count)
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["hold", "hold_in_thread", "hold_in_process"])
async def test_a_cancel_stops_what_runs(fleet: Fleet, kind: str) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(getattr(app, kind), str(fleet.folder / "never"))
        await until(started(fleet, handle), "the task runs")
        view = await handle.cancel()
        assert view.state == "cancelled"
        with pytest.raises(TaskCancelled):
            await handle.result(PATIENCE_S)
        await until(lambda: any(line["event"] == "end" for line in fleet.truth.lines()), "the handler ended")


async def test_a_timeout_ends_the_attempt_and_counts_as_a_failure(fleet: Fleet) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    never = str(fleet.folder / "never")
    async with Client(fleet.hub.url) as client:
        handles = [
            await client.submit(kind.options(timeout_s=0.3), never)
            for kind in (app.hold, app.hold_in_thread, app.hold_in_process)
        ]
        for handle in handles:
            with pytest.raises(TaskFailed) as caught:
                await handle.result(PATIENCE_S)
            assert caught.value.kind == "timeout"


async def test_a_failed_attempt_runs_again_as_its_policy_says(fleet: Fleet) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.fail.options(retry=Retry(max_attempts=3, initial_s=0.05)), "bad luck")
        with pytest.raises(TaskFailed, match="bad luck") as caught:
            await handle.result(PATIENCE_S)
    assert caught.value.attempt == 3
    assert "RuntimeError" in caught.value.remote_traceback
    assert fleet.truth.starts() == {(handle.id, 1): 1, (handle.id, 2): 1, (handle.id, 3): 1}


async def test_bad_work_fails_its_attempt_and_the_session_lives(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        for handle, kind in (
            (await client.submit("noop", wrong=1), "bad_arguments"),
            (await client.submit(app.unspeakable), "bad_result"),
            (await client.submit(app.huge, 300_000), "bad_result"),
        ):
            with pytest.raises(TaskFailed) as caught:
                await handle.result(PATIENCE_S)
            assert caught.value.kind == kind
        assert await (await client.submit(app.noop, 7)).result(PATIENCE_S) == 7
        (view,) = await client.nodes()
        assert view.connects == 1
    assert node.alive


async def test_a_handler_that_blocks_its_loop_costs_no_session(fleet: Fleet) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        # The hub closes sessions that are silent for three heartbeats of a second each.
        handle = await client.submit(app.block_the_loop, 5.0)
        assert await handle.result(PATIENCE_S) == "done"
        (view,) = await client.nodes()
        assert view.connects == 1


async def test_a_stopped_node_past_its_lease_loses_its_attempt_and_its_late_result_is_refused(fleet: Fleet) -> None:
    fleet.hub.start()
    sleeper = fleet.add_node("n1")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.hold.options(lease_s=1.0), str(gate))
        await until(started(fleet, handle), "the task runs")
        os.kill(sleeper.pid, signal.SIGSTOP)
        fleet.add_node("n2")
        await until(lambda: fleet.truth.starts_of(handle.id) == 2, "the second attempt on the other node")
        os.kill(sleeper.pid, signal.SIGCONT)
        await until(
            lambda: any(line["event"] == "end" and line["attempt"] == 1 for line in fleet.truth.lines()),
            "the first attempt is stopped",
        )
        gate.write_text("seen")
        assert await handle.result(PATIENCE_S) == "seen"
        view = await handle.get()
        assert (view.attempt, view.node) == (2, "n2")


async def test_sigterm_drains_a_node_and_it_ends_in_good_order(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n", slots=1)
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        running = await client.submit(app.hold, str(gate))
        waiting = await client.submit(app.noop, 1)
        await until(started(fleet, running), "the task runs")
        node.signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return (await client.node("n")).state == "draining"

        await until_told(is_draining, "everybody sees that it drains")
        gate.write_text("seen")
        assert await running.result(PATIENCE_S) == "seen"
        assert node.wait() == 0
        assert (await waiting.get()).state == "queued"
        (view,) = await client.nodes()
        assert view.state == "gone"


async def test_a_drain_from_the_api_makes_the_node_leave(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        await (await client.submit(app.noop, 1)).result(PATIENCE_S)
        await client.drain("n")
        assert node.wait() == 0
        node.start()
        assert await (await client.submit(app.noop, 2)).result(PATIENCE_S) == 2


async def test_a_disconnected_node_comes_back(fleet: Fleet) -> None:
    fleet.hub.start()
    fleet.add_node("n")
    async with Client(fleet.hub.url) as client:
        await (await client.submit(app.noop, 1)).result(PATIENCE_S)
        await client.disconnect("n")
        assert await (await client.submit(app.noop, 2)).result(PATIENCE_S) == 2
        (view,) = await client.nodes()
        assert view.connects == 2


async def test_sigterm_ends_a_hub_in_good_order_and_the_nodes_go_on(fleet: Fleet) -> None:
    fleet.hub.start()
    node = fleet.add_node("n")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(app.hold, str(gate))
        await until(started(fleet, handle), "the task runs")
        assert fleet.hub.terminate() == 0
        gate.write_text("seen")
        fleet.hub.start()
        assert await handle.result(PATIENCE_S) == "seen"
    assert fleet.truth.starts_of(handle.id) == 1
    assert node.alive
