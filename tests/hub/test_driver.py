"""What the core decides is done, and time is handed in: with real sockets, and a store that hangs or fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop
from msgspec import Raw
from websockets.asyncio.client import ClientConnection

from hub import driver
from hub.clock import CLOCK_NAME
from hub.decisions.intake import NODE_BYTES_MAX
from hub.decisions.lifecycle import TaskState
from hub.store.tasks import NewTask, TaskOptions
from protocol import frames
from protocol.codec import hub_frames_decoder
from protocol.frames import Inventory, Register
from protocol.limits import FRAME_BYTES_MAX
from tests.hub.harness import done
from tests.hub.running import WITHIN_S, Running, hear, register, say, until


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Running]:
    hub = Running(tmp_path)
    await hub.service.start()
    yield hub
    await hub.service.stop()


def test_submits_that_wake_a_tick_which_is_due_already_are_taken(tmp_path: Path) -> None:
    """On uvloop, which the command uses: its timer for a delay of nothing is another kind of thing."""

    async def submit_at_once() -> None:
        hub = Running(tmp_path)
        await hub.service.start()
        try:
            socket = await register(hub)
            tasks = [{"id": f"t{number}", "name": "work", "options": {"delay_s": 0.001}} for number in range(20)]
            for _ in range(5):
                answers = await asyncio.gather(*(hub.call("POST", "/v1/tasks", json=task) for task in tasks))
                assert {status for status, _ in answers} <= {200, 201}
            await socket.close()
        finally:
            await hub.service.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(submit_at_once())


async def test_a_hub_wakes_up_for_the_task_that_is_due_next(hub: Running) -> None:
    delays_s = {"first": 0.01, "second": 0.2}
    await hub.service.backend.submit(
        [
            NewTask(task_id=task_id, name="work", options=TaskOptions(delay_s=delay_s))
            for task_id, delay_s in delays_s.items()
        ]
    )

    async def first_is_queued() -> bool:
        view = await hub.service.backend.read(lambda store: store.task("first"))
        return view is not None and view.state is TaskState.QUEUED

    await until(first_is_queued)
    # What made the first one queued has said when the second is due: before the next sweep would come by itself.
    assert hub.service._driver._tick_at_s - asyncio.get_running_loop().time() < 0.25


async def test_a_delay_ends_though_the_machine_was_booted_with_a_clock_that_is_a_day_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Running(tmp_path)
    await hub.service.start()
    await hub.service.backend.submit([NewTask(task_id="t", name="work", options=TaskOptions(delay_s=0.5))])
    await hub.service.stop()
    # As after a boot: nothing is known of the clock that was.
    (tmp_path / CLOCK_NAME).unlink()
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() - 86_400)
    hub = Running(tmp_path)
    await hub.service.start()

    async def is_queued() -> bool:
        view = await hub.service.backend.read(lambda store: store.task("t"))
        return view is not None and view.state is TaskState.QUEUED

    try:
        await until(is_queued)
    finally:
        await hub.service.stop()


async def test_a_store_that_hangs_is_degraded_until_it_answers(hub: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "STUCK_AFTER_S", 0.05)
    store = hub.stores[0]
    store.answers.clear()
    waiting = asyncio.create_task(hub.call("POST", "/v1/tasks", json={"id": "t", "name": "work"}))

    async def is_degraded() -> bool:
        return hub.service.health().degraded is not None

    async def is_well() -> bool:
        return hub.service.health().degraded is None

    try:
        await until(is_degraded)
        status, refused = await hub.call("POST", "/v1/tasks", json={"name": "work"})
        assert (status, refused["error"]["code"]) == (503, "degraded")
        assert "has not come back" in refused["error"]["message"]
    finally:
        store.answers.set()
    # What was taken before is answered.
    assert (await waiting)[0] == 201
    await until(is_well)
    assert (await hub.call("POST", "/v1/tasks", json={"name": "work"}))[0] == 201


async def test_while_the_store_fails_nothing_is_acked_or_lost_and_the_hub_goes_on_by_itself(hub: Running) -> None:
    socket = await register(hub)
    await hub.call("POST", "/v1/tasks", json={"id": "t", "name": "work"})
    await hear(socket, frames.Task)
    store = hub.stores[0]
    store.fails = True
    await say(socket, done("t"))

    async def degraded() -> bool:
        status, ready = await hub.call("GET", "/readyz")
        return status == 503 and "disk is full" in str(ready["reasons"])

    await until(degraded)
    status, refused = await hub.call("POST", "/v1/tasks", json={"name": "work"})
    assert (status, refused["error"]["code"]) == (503, "degraded")
    await say(socket, frames.Heartbeat(sequence=1))
    assert (await hear(socket, frames.HeartbeatAck)).sequence == 1
    status, view = await hub.call("GET", "/v1/tasks/t")
    assert (status, view["state"]) == (200, "running")
    store.fails = False
    assert (await hear(socket, frames.Ack)).attempts == [("t", 1)]
    assert (await hub.call("GET", "/readyz"))[0] == 200
    assert (await hub.call("GET", "/v1/tasks/t"))[1]["state"] == "succeeded"


FLOOD = 240
VALUE = Raw(b'"' + b"x" * 200_000 + b'"')

# What libuv reads of a socket in one turn of its loop, at most: 32 times what uvloop has room for.
TURN_BYTES_MAX = 32 * 256_000


@pytest.mark.parametrize("new_event_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_results_that_the_store_does_not_take_wait_at_their_node(
    tmp_path: Path, new_event_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Its bound is 8 MiB, and it would bring six times that."""

    async def flood() -> None:
        hub = Running(tmp_path)
        await hub.service.start()
        try:
            socket = await hub.node()
            greeting = Register(node_id="n", instance_id="i", slots=FLOOD, handlers=["work"], inventory=Inventory())
            await say(socket, greeting)
            await hear(socket, frames.Registered)
            keys = [f"t{number}" for number in range(FLOOD)]
            await hub.service.backend.submit([NewTask(task_id=task_id, name="work") for task_id in keys])
            await bring(hub, socket, keys)
        finally:
            await hub.service.stop()

    async def bring(hub: Running, socket: ClientConnection, keys: list[str]) -> None:
        core = hub.service._core
        sent: list[str] = []

        async def send_all() -> None:
            for task_id in keys:
                await say(socket, done(task_id, value=VALUE))
                sent.append(task_id)

        store = hub.stores[0]
        store.answers.clear()
        sending = asyncio.create_task(send_all())
        try:
            async with asyncio.timeout(WITHIN_S):
                while not core.connections_unread:
                    await asyncio.sleep(0.01)
                # As long as it takes the network to fill: what is sent after that moves nothing here.
                before = -1
                while len(sent) != before:
                    before = len(sent)
                    await asyncio.sleep(0.3)
            assert len(sent) < FLOOD
            (peer,) = hub.service._peers._peers.values()
            unheard_bytes = sum(len(frame.data) for frame in peer.socket.recv_messages.frames.queue)
            assert core.results_waiting_bytes <= NODE_BYTES_MAX + FRAME_BYTES_MAX
            assert unheard_bytes <= TURN_BYTES_MAX
        finally:
            store.answers.set()
        acked: set[str] = set()
        while len(acked) < FLOOD:
            async with asyncio.timeout(WITHIN_S):
                message = hub_frames_decoder().decode(await socket.recv(decode=False))
            acked.update(key[0] for frame in message if isinstance(frame, frames.Ack) for key in frame.attempts)
        await sending
        counts = await hub.service.backend.read(lambda store: store.stats())
        assert (acked, counts.tasks["succeeded"], core.results_waiting_bytes) == (set(keys), FLOOD, 0)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(flood())
