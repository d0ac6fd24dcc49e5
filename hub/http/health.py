"""Handlers about the hub itself: counts, and whether it lives and can serve."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.hub_views import Readiness, stats_answer
from hub.http.readiness import reasons_not_alive, reasons_not_ready


async def stats(api: Api, _request: web.Request) -> web.StreamResponse:
    """Give the hub's counts."""
    counted = await api.backend.read(lambda store: store.stats())
    return json_answer(stats_answer(counted, api.backend.health(), api.wall_s()))


async def livez(api: Api, _request: web.Request) -> web.StreamResponse:
    """Say that the event loop turns, which this answer proves, and that the thread that commits runs."""
    return _answer(reasons_not_alive(api.backend.health()))


async def readyz(api: Api, _request: web.Request) -> web.StreamResponse:
    """Say whether the store takes commits, has room for more, and sessions are accepted."""
    return _answer(reasons_not_ready(api.backend.health()))


def _answer(reasons: list[str]) -> web.Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return json_answer(Readiness(ready=not reasons, reasons=reasons), status)
