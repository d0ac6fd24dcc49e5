"""A token that is good no more ends what was opened with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hub.tokens import create_token, revoke_token
from tests.hub.running import Running, register

# The hub promises a second; what this machine needs on top of that is its own affair.
REVOKED_WITHIN_S = 1.0
ALLOWANCE_S = 4.0


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
