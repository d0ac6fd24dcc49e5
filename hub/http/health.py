"""Handlers about the hub itself: counts, and whether it lives and can serve."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.backend import Health
from hub.http.views import Readiness, stats_answer


async def stats(api: Api, _request: web.Request) -> web.StreamResponse:
    """Give the hub's counts."""
    counted = await api.backend.read(lambda store: store.stats())
    return json_answer(stats_answer(counted, api.backend.health(), api.wall_s()))


async def livez(_api: Api, _request: web.Request) -> web.StreamResponse:
    """Say that the event loop turns: that this is answered proves it."""
    return json_answer(Readiness(ready=True, reasons=[]))


async def readyz(api: Api, _request: web.Request) -> web.StreamResponse:
    """Say whether the store takes commits and sessions are accepted."""
    reasons = reasons_not_ready(api.backend.health())
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return json_answer(Readiness(ready=not reasons, reasons=reasons), status)


def reasons_not_ready(health: Health) -> list[str]:
    """Say what keeps a hub from serving."""
    reasons = []
    if health.degraded is not None:
        reasons.append(f"the store takes no commits: {health.degraded}")
    if health.stopping:
        reasons.append("the hub is stopping")
    return reasons
