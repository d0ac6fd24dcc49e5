"""The routes about the past."""

from __future__ import annotations

from typing import Final

from hub.http import audit, history, history_views
from hub.http.errors import NotFoundError
from hub.http.history_queries import AUDIT, GROUPS, HISTORY, SINCE
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
    Route(
        method="GET",
        path="/v1/errors",
        role="read",
        handler=history.list_errors,
        name="listErrors",
        summary="List errors that are alike as one, last seen first",
        tag="tasks",
        query=GROUPS,
        answers={200: Answer(about="The groups.", kinds=(history_views.ErrorsAnswer,))},
    ),
    Route(
        method="GET",
        path="/v1/tasks/{id}/attempts",
        role="read",
        handler=history.get_attempts,
        name="getTaskAttempts",
        summary="Get the attempts of a task, oldest first",
        tag="tasks",
        answers={200: Answer(about="The attempts.", kinds=(history_views.AttemptsAnswer,))},
        errors=(NotFoundError,),
    ),
    Route(
        method="GET",
        path="/v1/audit",
        role="admin",
        handler=audit.list_audit,
        name="listAudit",
        summary="List who did what, newest first",
        tag="hub",
        query=AUDIT,
        answers={200: Answer(about="A page of the audit log.", kinds=(history_views.AuditAnswer,))},
    ),
)
