"""The routes about the hub itself: counts, events, health."""

from __future__ import annotations

from typing import Final

from hub.http import event_stream, health, hub_views
from hub.http.queries import EVENT_LIST
from hub.http.route import Answer, Route

HUB_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/stats",
        role="read",
        handler=health.stats,
        name="getStats",
        summary="Count tasks, nodes and sessions",
        tag="hub",
        answers={200: Answer(about="The counts.", kinds=(hub_views.StatsAnswer,))},
    ),
    Route(
        method="GET",
        path="/v1/events",
        role="read",
        handler=event_stream.stream_events,
        name="streamEvents",
        summary="Follow events as they are committed; resume behind any that is kept",
        tag="hub",
        query=EVENT_LIST,
        answers={
            200: Answer(
                about="Server-sent events. First `hello`; `reset` where events were asked for that are not kept any "
                "more; `end` before the hub ends the stream. All others have the shape of EventObject as `data`.",
                media="text/event-stream",
            )
        },
    ),
    Route(
        method="GET",
        path="/livez",
        role=None,
        handler=health.livez,
        name="getLiveness",
        summary="Tell whether the hub lives, or only starting again can help",
        tag="hub",
        answers={
            200: Answer(about="It lives.", kinds=(hub_views.Readiness,)),
            503: Answer(about="It should be started again, for these reasons.", kinds=(hub_views.Readiness,)),
        },
    ),
    Route(
        method="GET",
        path="/readyz",
        role=None,
        handler=health.readyz,
        name="getReadiness",
        summary="Tell whether the hub can serve",
        tag="hub",
        answers={
            200: Answer(about="It can.", kinds=(hub_views.Readiness,)),
            503: Answer(about="It cannot, for these reasons.", kinds=(hub_views.Readiness,)),
        },
    ),
)
