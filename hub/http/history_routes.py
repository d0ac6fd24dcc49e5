"""The routes about the past."""

from __future__ import annotations

from typing import Final

from hub.http import history, history_views
from hub.http.errors import NotFoundError
from hub.http.queries import HISTORY, SINCE
from hub.http.route import Answer, Route

HISTORY_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/history",
        role="read",
        handler=history.get_history,
        name="getHistory",
        summary="Get counts, queue age, wait and run times over the last hours or weeks, for charts",
        tag="hub",
        query=HISTORY,
        answers={200: Answer(about="Samples as columns, oldest first.", kinds=(history_views.HistoryAnswer,))},
    ),
    Route(
        method="GET",
        path="/v1/nodes/{id}/history",
        role="read",
        handler=history.get_node_history,
        name="getNodeHistory",
        summary="Get when a node was here, when it was not, and why",
        tag="nodes",
        query=SINCE,
        answers={200: Answer(about="Its spans, oldest first.", kinds=(history_views.NodeHistoryAnswer,))},
        errors=(NotFoundError,),
    ),
)
