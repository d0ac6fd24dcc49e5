"""Handlers for nodes: look, and tell them what an operator wishes."""

from __future__ import annotations

from aiohttp import web

from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.errors import ConflictError, NotFoundError
from hub.http.views import NodePage, node_object
from hub.store.contract import NodeView
from protocol.limits import is_identifier


async def list_nodes(api: Api, _request: web.Request) -> web.StreamResponse:
    """Give all nodes."""
    views = await api.backend.read(lambda store: store.nodes())
    return json_answer(NodePage(nodes=[node_object(view, api.backend.live(view.id)) for view in views]))


async def get_node(api: Api, request: web.Request) -> web.StreamResponse:
    """Give one node."""
    return _shown(api, await _find(api, node_id_of(request)))


async def cordon(api: Api, request: web.Request) -> web.StreamResponse:
    """Give a node nothing new; what it runs goes on."""
    return await _wish(api, request, cordoned=True)


async def uncordon(api: Api, request: web.Request) -> web.StreamResponse:
    """Take `cordon` and `drain` back."""
    return await _wish(api, request, cordoned=False, draining=False)


async def drain(api: Api, request: web.Request) -> web.StreamResponse:
    """Ask a node to finish what it runs, to take nothing new, and to leave."""
    return await _wish(api, request, draining=True)


async def disconnect(api: Api, request: web.Request) -> web.StreamResponse:
    """Close a node's connection; it comes back by itself, and what it runs goes on."""
    node_id = node_id_of(request)
    await _find(api, node_id)
    if not await api.backend.disconnect(node_id):
        raise ConflictError(f"node {node_id} is not connected", "a node that is online or draining")
    return _shown(api, await _find(api, node_id))


async def _wish(
    api: Api, request: web.Request, *, cordoned: bool | None = None, draining: bool | None = None
) -> web.Response:
    node_id = node_id_of(request)
    view = await api.backend.wish(node_id, cordoned=cordoned, draining=draining)
    if view is None:
        raise no_node(node_id)
    return _shown(api, view)


def node_id_of(request: web.Request) -> str:
    """Give the node that a request's path names. Raises NotFoundError if that can be no node's id."""
    node_id = request.match_info["id"]
    if not is_identifier(node_id):
        raise no_node(node_id)
    return node_id


async def _find(api: Api, node_id: str) -> NodeView:
    view = await api.backend.read(lambda store: store.node(node_id))
    if view is None:
        raise no_node(node_id)
    return view


def no_node(node_id: str) -> NotFoundError:
    """Give the answer where there is no such node."""
    return NotFoundError(f"there is no node {node_id[:128]!r}", "GET /v1/nodes lists those that have registered")


def _shown(api: Api, view: NodeView) -> web.Response:
    return json_answer(node_object(view, api.backend.live(view.id)))
