"""A node stands still past its lease: the hub frees the attempt; the node, awake again, stops its own first of all."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from moorline import Client, TaskLost
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet
from tests.faults.told import final_states
from tests.faults.waiting import until

# The shortest that a task may ask for. The hub waits for a margin of 5 s and a hundredth besides.
LEASE_S = 1.0


def lines_of(fleet: Fleet, event: str, task_id: str, attempt: int) -> list[dict[str, object]]:
    wanted = {"event": event, "task_id": task_id, "attempt": attempt}
    return [line for line in fleet.truth.lines() if wanted.items() <= line.items()]


@pytest.mark.parametrize("kind", [app.hold, app.hold_in_thread, app.hold_in_process], ids=lambda kind: kind.name)
async def test_the_attempt_runs_elsewhere_and_the_late_result_is_refused(fleet: Fleet, kind: Any) -> None:
    fleet.hub.start()
    sleeper = fleet.add_node("sleeper")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        handle = await client.submit(kind.options(lease_s=LEASE_S), str(gate))
        await until(lambda: lines_of(fleet, "start", handle.id, 1), "the task runs")
        os.kill(sleeper.pid, signal.SIGSTOP)
        try:
            fleet.add_node("other")
            await until(lambda: lines_of(fleet, "start", handle.id, 2), "the second attempt on the other node")
            # What the sleeper's handler waits for is there when it wakes: only the lease keeps it from its result.
            greetings = sleeper.log.count("connected to hub")
        finally:
            os.kill(sleeper.pid, signal.SIGCONT)
        await until(lambda: lines_of(fleet, "end", handle.id, 1), "the first attempt is stopped")
        await until(lambda: sleeper.log.count("connected to hub") > greetings, "the sleeper is back")
        stopped = sleeper.log.index(f"stopping task {handle.id}/1: lease")
        assert stopped < sleeper.log.rindex("connected to hub"), "it spoke to the hub before it stopped its own"
        assert (await handle.get()).state == "running"
        gate.write_text("seen")
        assert await handle.result(PATIENCE_S) == "seen"
        view = await handle.get()
        assert (view.attempt, view.node, view.losses) == (2, "other", 1)
        assert (await final_states(client))[handle.id] == ["succeeded"]
        totals = {node.id: node.totals for node in await client.nodes()}
        assert (totals["sleeper"]["lost"], totals["sleeper"]["succeeded"]) == (1, 0)
        assert totals["other"]["succeeded"] == 1
    assert fleet.truth.twice() == []


async def test_a_result_that_was_ready_when_the_node_was_stopped_is_refused_as_late(fleet: Fleet) -> None:
    fleet.hub.start()
    sleeper = fleet.add_node("sleeper")
    fleet.add_node("other").wait_for_line("connected to hub")
    gate = fleet.folder / "gate"
    async with Client(fleet.hub.url) as client:
        once = app.hold_in_process.options(lease_s=LEASE_S, on_lost="fail", node="sleeper")
        handle = await client.submit(once, str(gate))
        await until(lambda: lines_of(fleet, "start", handle.id, 1), "the task runs")
        # Its child goes on while the node stands still, and has come to its end long before the node wakes.
        os.kill(sleeper.pid, signal.SIGSTOP)
        try:
            gate.write_text("seen")
            with pytest.raises(TaskLost, match="on_lost is fail"):
                await handle.result(PATIENCE_S)
        finally:
            os.kill(sleeper.pid, signal.SIGCONT)
        again = await client.submit(app.noop.options(node="sleeper"), 1)
        assert await again.result(PATIENCE_S) == 1
        assert (await handle.get()).state == "lost"
        assert (await final_states(client))[handle.id] == ["lost"]
    assert fleet.truth.starts_of(handle.id) == 1
