"""What the API asks of a hub that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.history import NoteDeed
from hub.store.nodes import NodeLeft
from hub.store.wishes import Cancel, NodeWish, Revive
from tests.hub.running import Running, register, until


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Running]:
    hub = Running(tmp_path)
    await hub.service.start()
    yield hub
    await hub.service.stop()


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
    assert hub.service.backend.live("n") is not None
    hub.stores[0].fails = False
