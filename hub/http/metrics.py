"""The handler of `/metrics`."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from hub.http.answers import COMMON_HEADERS
from hub.http.api import Api
from hub.metrics.exposition import CONTENT_TYPE

_HEADERS: Final = CIMultiDict({**COMMON_HEADERS, "Content-Type": CONTENT_TYPE})


async def metrics(api: Api, _request: web.Request) -> web.StreamResponse:
    """Give the hub's metrics for Prometheus, at most a second old."""
    return web.Response(body=await api.exposition.text(), headers=_HEADERS.copy())
