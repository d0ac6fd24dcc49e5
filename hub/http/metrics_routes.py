"""The route that Prometheus scrapes."""

from __future__ import annotations

from typing import Final

from hub.http import metrics
from hub.http.route import Answer, Route

METRICS_ROUTE: Final = Route(
    method="GET",
    path="/metrics",
    role="read",
    handler=metrics.metrics,
    name="getMetrics",
    summary="Scrape the hub's metrics",
    tag="hub",
    answers={200: Answer(about="Prometheus' text format, version 0.0.4.", media="text/plain")},
)
"""Open to everybody with `HubSettings.metrics_open`."""
