"""The hub put together: started, stopped, degraded, and closed to strangers; with real sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from hub import service
from hub.clock import CLOCK_NAME
from hub.decisions.lifecycle import TaskState
from hub.decisions.samples import STEP_S
from hub.errors import SettingsError
from hub.service import HubService
from hub.settings import HubSettings, is_loopback
from hub.store.contract import Committed, Operation, Store
from hub.store.errors import StoreRefusedError, StoreUnavailableError
from hub.store.history import NoteDeed
from hub.store.nodes import NodeLeft
from hub.store.now import Now
from hub.store.tasks import NewTask, TaskOptions
from hub.store.wishes import Cancel, NodeWish, Revive
from hub.tokens import create_token, revoke_token
from protocol import frames
from protocol.codec import encode, hub_frames_decoder
from protocol.frames import Frame, Inventory, Register
from protocol.limits import SUBPROTOCOL
from tests.hub.harness import done

WITHIN_S = 10.0

# The hub promises a second; what this machine needs on top of that is its own affair.
REVOKED_WITHIN_S = 1.0
ALLOWANCE_S = 4.0


class FailingStore:
    """The real store, until it is told to fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails = False
        self.answers = threading.Event()
        self.answers.set()
        self.executed: list[Operation] = []

    def execute(self, operations: Sequence[Operation], now: Now) -> Committed:
        if self.fails:
            raise StoreUnavailableError("database or disk is full")
        self.answers.wait(WITHIN_S)
        self.executed += operations
        return self._store.execute(operations, now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Running:
    """A started hub with a store that can fail, and a way to talk to it."""

    def __init__(self, state: Path, **settings: Any) -> None:
        self.stores: list[FailingStore] = []
        values: dict[str, Any] = {"state": state, "node_port": 0, "http_port": 0, "durability": "normal"} | settings
        self.service = HubService(HubSettings(**values), wrap_store=self._wrap)

    def _wrap(self, store: Store) -> Any:
        self.stores.append(FailingStore(store))
        return self.stores[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.http_port}"

    async def node(self, token: str | None = None) -> ClientConnection:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await connect(
            f"ws://127.0.0.1:{self.service.node_port}/v1/node",
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            compression=None,
            proxy=None,
        )

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as http, http.request(method, self.url + path, **more) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Running]:
    hub = Running(tmp_path)
    await hub.service.start()
    yield hub
    await hub.service.stop()


async def say(socket: ClientConnection, frame: Frame) -> None:
    await socket.send(encode(frame), text=True)


async def hear(socket: ClientConnection, kind: type[Frame]) -> Any:
    """Read until a frame of this kind comes."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            for frame in hub_frames_decoder().decode(await socket.recv(decode=False)):
                if isinstance(frame, kind):
                    return frame


async def register(hub: Running, token: str | None = None) -> ClientConnection:
    socket = await hub.node(token)
    await say(socket, Register(node_id="n", instance_id="i", slots=4, handlers=["work"], inventory=Inventory()))
    await hear(socket, frames.Registered)
    return socket


async def until(fact: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await fact():
            await asyncio.sleep(0.01)


async def test_a_task_goes_all_the_way(hub: Running) -> None:
    socket = await register(hub)
    status, accepted = await hub.call("POST", "/v1/tasks", json={"id": "t", "name": "work", "payload": {"a": 1}})
    assert (status, accepted["id"], accepted["existing"]) == (201, "t", False)
    task = await hear(socket, frames.Task)
    assert bytes(task.payload) == b'{"a": 1}'
    await say(socket, done("t"))
    assert (await hear(socket, frames.Ack)).attempts == [("t", 1)]
    status, view = await hub.call("GET", "/v1/tasks/t?wait=5")
    assert (status, view["state"], view["value"]) == (200, "succeeded", None)


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
    await hub.service.submit(
        [
            NewTask(task_id=task_id, name="work", options=TaskOptions(delay_s=delay_s))
            for task_id, delay_s in delays_s.items()
        ]
    )

    async def first_is_queued() -> bool:
        view = await hub.service.read(lambda store: store.task("first"))
        return view is not None and view.state is TaskState.QUEUED

    await until(first_is_queued)
    # What made the first one queued has said when the second is due: before the next sweep would come by itself.
    assert hub.service._tick_at_s - asyncio.get_running_loop().time() < 0.25


async def test_a_delay_ends_though_the_machine_was_booted_with_a_clock_that_is_a_day_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Running(tmp_path)
    await hub.service.start()
    await hub.service.submit([NewTask(task_id="t", name="work", options=TaskOptions(delay_s=0.5))])
    await hub.service.stop()
    # As after a boot: nothing is known of the clock that was.
    (tmp_path / CLOCK_NAME).unlink()
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() - 86_400)
    hub = Running(tmp_path)
    await hub.service.start()

    async def is_queued() -> bool:
        view = await hub.service.read(lambda store: store.task("t"))
        return view is not None and view.state is TaskState.QUEUED

    try:
        await until(is_queued)
    finally:
        await hub.service.stop()


async def test_a_store_that_hangs_is_degraded_until_it_answers(hub: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "STUCK_AFTER_S", 0.05)
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


async def test_stopping_twice_is_harmless_and_so_is_stopping_what_never_started(tmp_path: Path) -> None:
    hub = Running(tmp_path)
    await hub.service.stop()
    await hub.service.start()
    await hub.service.stop()
    await hub.service.stop()


async def test_a_hub_that_stops_tells_its_nodes_and_closes_with_1012(hub: Running) -> None:
    socket = await register(hub)
    stopping = asyncio.create_task(hub.service.stop())
    assert (await hear(socket, frames.GoAway)).action == "reconnect"
    await stopping
    await socket.wait_closed()
    assert socket.close_code == 1012


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


async def test_a_revoked_token_ends_its_session_within_a_second(tmp_path: Path) -> None:
    boot = Running(tmp_path)
    await boot.service.start()
    await boot.service.stop()
    token = create_token(tmp_path, name="n", role="node")
    reader = create_token(tmp_path, name="r", role="read")
    hub = Running(tmp_path)
    await hub.service.start()
    try:
        socket = await register(hub, token.secret)
        assert (await hub.call("GET", "/v1/nodes"))[0] == 401
        allowed = {"Authorization": f"Bearer {reader.secret}"}
        assert (await hub.call("GET", "/v1/nodes", headers=allowed))[0] == 200
        assert (await hub.call("POST", "/v1/tasks", headers=allowed, json={"name": "x"}))[0] == 403
        assert revoke_token(tmp_path, token.id)
        async with asyncio.timeout(REVOKED_WITHIN_S + ALLOWANCE_S):
            await socket.wait_closed()
        assert socket.close_code == 4003
    finally:
        await hub.service.stop()


async def test_nobody_gets_in_from_outside_without_tokens(tmp_path: Path) -> None:
    hub = Running(tmp_path, node_host="0.0.0.0")
    with pytest.raises(
        SettingsError, match=r"^0\.0\.0\.0 can be reached by others, and there are no tokens; moorline token"
    ):
        await hub.service.start()
    create_token(tmp_path, name="a", role="admin")
    again = Running(tmp_path, node_host="0.0.0.0")
    await again.service.start()
    await again.service.stop()


async def test_an_operator_may_trust_the_network(tmp_path: Path) -> None:
    hub = Running(tmp_path, http_host="0.0.0.0", insecure=True)
    await hub.service.start()
    await hub.service.stop()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(hub: Running, tmp_path: Path) -> None:
    other = Running(tmp_path / "other", http_port=hub.service.http_port)
    with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        await other.service.start()
    again = Running(tmp_path / "other")
    await again.service.start()
    await again.service.stop()


async def test_two_hubs_do_not_share_a_state_folder(hub: Running, tmp_path: Path) -> None:
    with pytest.raises(StoreRefusedError):
        await Running(tmp_path).service.start()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tls_cert": Path("c.pem")}, "tls_cert and tls_key go together"),
        ({"client_ca": Path("c.pem")}, "client_ca needs TLS"),
        ({"heartbeat_s": 0}, "heartbeat_s is 0; a value from 0.05 to 3600"),
        ({"node_port": 70_000}, "node_port is 70000; a value from 0 to 65535"),
        ({"payload_bytes_max": 10**9}, "payload_bytes_max is 1000000000"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        HubSettings(**settings)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("h", False)],
)
def test_loopback_is_known(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback


# --- the past --------------------------------------------------------------------------------------------------------


async def test_an_action_is_in_the_audit_log_before_it_is_done(hub: Running) -> None:
    await register(hub)
    await hub.call("POST", "/v1/tasks", json={"id": "t", "name": "other"})
    for path in ("tasks/t/cancel", "tasks/t/retry", "nodes/n/drain", "nodes/n/disconnect"):
        status, _ = await hub.call("POST", f"/v1/{path}")
        assert status == 200
    watched = {NoteDeed: "line", Cancel: "cancel", Revive: "retry", NodeWish: "drain", NodeLeft: "disconnect"}

    def done_in_order() -> list[str]:
        return [watched[type(operation)] for operation in hub.stores[0].executed if type(operation) in watched]

    async def is_disconnected() -> bool:
        return done_in_order()[-1] == "disconnect"

    # It is answered when the connection is closed, which may be before that is stored.
    await until(is_disconnected)
    assert done_in_order() == ["line", "cancel", "line", "retry", "line", "drain", "line", "disconnect"]
    _, log = await hub.call("GET", "/v1/audit")
    actions = [entry["action"] for entry in log["entries"]]
    assert actions == ["node.disconnect", "node.drain", "task.retry", "task.cancel"]


async def test_a_hub_that_takes_no_commits_does_nothing_unseen(hub: Running) -> None:
    await register(hub)
    hub.stores[0].fails = True

    async def is_degraded() -> bool:
        return hub.service.health().degraded is not None

    await until(is_degraded)
    status, body = await hub.call("POST", "/v1/nodes/n/disconnect")
    assert (status, body["error"]["code"]) == (503, "degraded")
    assert hub.service.live("n") is not None
    hub.stores[0].fails = False


async def test_samples_are_taken_and_are_there_after_a_restart(tmp_path: Path) -> None:
    """A step takes ten seconds: so does this test."""
    hub = Running(tmp_path)
    await hub.service.start()
    await hub.call("POST", "/v1/tasks", json={"id": "t", "name": "other"})

    async def is_sampled() -> bool:
        _, history = await hub.call("GET", "/v1/history")
        return bool(history["at"])

    async with asyncio.timeout(2 * STEP_S):
        while not await is_sampled():
            await asyncio.sleep(0.05)
    await hub.service.stop()
    hub = Running(tmp_path)
    await hub.service.start()
    _, history = await hub.call("GET", "/v1/history")
    assert (history["submitted"][0], history["queued"][0], history["nodes_online"][0]) == (1, 1, 0)
    await hub.service.stop()
