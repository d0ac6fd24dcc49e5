"""A webhook's receiver on a real port: keeps what it took, and can be told to take nothing."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from hub.accepting import accept_no_more
from hub.alerts.messages import signature


class Receiver:
    """Posts to ``/hook``. ``status`` is what it answers; above 299 it keeps nothing."""

    def __init__(self, secret: str = "", port: int = 0) -> None:
        self.secret = secret
        self.port = port
        self.status = 200
        self.tries = 0
        self.taken: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What was told, each message once: one that a killed hub could not note as taken comes again, with its id."""
        messages = {message["id"]: message for message in self.taken}
        return [alert for message in messages.values() for alert in message["alerts"]]

    def stories(self, rule: str, subject: str) -> list[str]:
        """Give what was told of one alert, in order."""
        return [alert["state"] for alert in self.alerts if (alert["rule"], alert["subject"]) == (rule, subject)]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(self._runner.server, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._runner is not None:
            assert self._server is not None
            await accept_no_more(self._server)
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.tries += 1
        if self.secret:
            right = signature(self.secret.encode(), request.headers["Moorline-Timestamp"], body)
            assert request.headers["Moorline-Signature"] == right
        if self.status < 300:
            message = msgspec.json.decode(body)
            assert request.headers["Moorline-Message"] == message["id"]
            self.taken.append(message)
        return web.Response(status=self.status, text="so it is")
