"""Handlers for nodes: look, and tell them what an operator wishes."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web
from msgspec.structs import replace

from hub.http import audit
from hub.http.answers import bytes_answer, json_answer
from hub.http.api import Api
from hub.http.errors import ConflictError, NotFoundError
from hub.http.node_views import MapAnswer, NodePage, node_object
from hub.http.parameters import invalid_cursor
from hub.http.queries import node_list_query
from hub.store.node_views import NodeView
from protocol.limits import is_identifier

# What terms and orders say about these is not in the store, or newer in a session.
_LIVE_FIELDS: Final = frozenset({"used", "free", "outbox", "rtt"})


async def list_nodes(api: Api, request: web.Request) -> web.StreamResponse:
    """Give nodes: all, or a page of those that meet a filter, in the order that is asked for."""
    query = node_list_query(request, api.wall_s())
    if query.sort in _LIVE_FIELDS or any(term.field in _LIVE_FIELDS for term in query.terms):
        query = replace(query, live=_live_facts(api))
    try:
        page = await api.backend.read(lambda store: store.node_page(query))
    except ValueError as error:
        raise invalid_cursor(error) from None
    shown = [node_object(view, api.backend.live(view.id)) for view in page.nodes]
    return json_answer(NodePage(nodes=shown, total=page.total, cursor=page.cursor))


def _live_facts(api: Api) -> list[tuple[str, int, int, float | None]]:
    return [
        (node_id, live.slots_in_use, live.outbox, live.round_trip_ms)
        for node_id, live in api.backend.live_nodes().items()
    ]


async def get_map(api: Api, _request: web.Request) -> web.StreamResponse:
    """Give all nodes in few bytes: for each its id, state, slots, slots in use, and whether it is cordoned."""
    last_id = api.backend.events.last_id
    return bytes_answer(await api.map_answer.get(last_id, lambda: _encoded_map(api)))


async def _encoded_map(api: Api) -> bytes:
    return await api.backend.read(lambda store: msgspec.json.encode(MapAnswer(nodes=store.node_map())))


async def get_node(api: Api, request: web.Request) -> web.StreamResponse:
    """Give one node."""
    return _shown(api, await _find(api, node_id_of(request)))


async def cordon(api: Api, request: web.Request) -> web.StreamResponse:
    """Give a node nothing new; what it runs goes on."""
    return await _wish(api, request, "node.cordon", cordoned=True)


async def uncordon(api: Api, request: web.Request) -> web.StreamResponse:
    """Take `cordon` and `drain` back."""
    return await _wish(api, request, "node.uncordon", cordoned=False, draining=False)


async def drain(api: Api, request: web.Request) -> web.StreamResponse:
    """Ask a node to finish what it runs, to take nothing new, and to leave."""
    return await _wish(api, request, "node.drain", draining=True)


async def disconnect(api: Api, request: web.Request) -> web.StreamResponse:
    """Close a node's connection; it comes back by itself, and what it runs goes on."""
    node_id = node_id_of(request)
    await _find(api, node_id)
    await audit.noted(api, request, "node.disconnect", node_id)
    if not await api.backend.disconnect(node_id):
        raise ConflictError(f"node {node_id} is not connected", "a node that is online or draining")
    return _shown(api, await _find(api, node_id))


async def _wish(
    api: Api, request: web.Request, action: str, *, cordoned: bool | None = None, draining: bool | None = None
) -> web.Response:
    node_id = node_id_of(request)
    audit.note(api, request, action, node_id)
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
