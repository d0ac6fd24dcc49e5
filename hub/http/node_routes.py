"""The routes about nodes."""

from __future__ import annotations

from typing import Final

from hub.http import node_views, nodes
from hub.http.errors import ConflictError, NotFoundError
from hub.http.queries import NODE_LIST
from hub.http.route import Answer, Route

_NODE: Final = {200: Answer(about="The node.", kinds=(node_views.NodeObject,))}

NODE_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/nodes",
        role="read",
        handler=nodes.list_nodes,
        name="listNodes",
        summary="List nodes: all, or page by page",
        tag="nodes",
        query=NODE_LIST,
        answers={200: Answer(about="The nodes, by id if nothing else was asked for.", kinds=(node_views.NodePage,))},
    ),
    Route(
        method="GET",
        path="/v1/map",
        role="read",
        handler=nodes.get_map,
        name="getMap",
        summary="Get all nodes in few bytes, for a picture with a cell for each slot",
        tag="nodes",
        answers={200: Answer(about="The nodes, by id; half a second old at most.", kinds=(node_views.MapAnswer,))},
    ),
    Route(
        method="GET",
        path="/v1/nodes/{id}",
        role="read",
        handler=nodes.get_node,
        name="getNode",
        summary="Get one node",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/cordon",
        role="admin",
        handler=nodes.cordon,
        name="cordonNode",
        summary="Give a node nothing new; what it runs goes on",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/uncordon",
        role="admin",
        handler=nodes.uncordon,
        name="uncordonNode",
        summary="Take cordon and drain back",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/drain",
        role="admin",
        handler=nodes.drain,
        name="drainNode",
        summary="Ask a node to finish what it runs and to leave",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/disconnect",
        role="admin",
        handler=nodes.disconnect,
        name="disconnectNode",
        summary="Close a node's connection; it comes back by itself",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError, ConflictError),
    ),
)
