"""Every route of the API in one table, joined from its topics.

The application is built from this table and so is the OpenAPI document; a route cannot be one without the other.
"""

from __future__ import annotations

from typing import Final

from hub.http.alert_routes import ALERT_ROUTES
from hub.http.history_routes import HISTORY_ROUTES
from hub.http.hub_routes import HUB_ROUTES
from hub.http.login_routes import LOGIN_ROUTES
from hub.http.metrics_routes import METRICS_ROUTE
from hub.http.node_routes import NODE_ROUTES
from hub.http.route import Route
from hub.http.task_routes import TASK_ROUTES

ROUTES: Final[tuple[Route, ...]] = (
    *TASK_ROUTES,
    *NODE_ROUTES,
    *ALERT_ROUTES,
    *HUB_ROUTES,
    *HISTORY_ROUTES,
    *LOGIN_ROUTES,
    METRICS_ROUTE,
)
