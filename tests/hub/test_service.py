"""The hub put together: started, stopped, and closed to strangers; with real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.decisions.samples import STEP_S
from hub.errors import SettingsError
from hub.settings import HubSettings, is_loopback
from hub.store.errors import StoreRefusedError
from hub.tokens import create_token
from protocol import frames
from tests.hub.harness import done
from tests.hub.running import Running, hear, register, say


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Running]:
    hub = Running(tmp_path)
    await hub.service.start()
    yield hub
    await hub.service.stop()


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
        ({"heartbeat_s": 0}, "heartbeat_s is 0; give a value from 0.05 to 3600"),
        ({"node_port": 70_000}, "node_port is 70000; give a value from 0 to 65535"),
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
