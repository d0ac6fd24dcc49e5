"""The routes about alerts."""

from __future__ import annotations

from typing import Final

from hub.http import alert_views, alerts
from hub.http.bodies import JSON
from hub.http.errors import (
    InvalidOptionError,
    InvalidQueryError,
    MalformedJsonError,
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
)
from hub.http.queries import ALERT_LIST
from hub.http.route import Answer, Route

ALERT_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/alerts",
        role="read",
        handler=alerts.list_alerts,
        name="listAlerts",
        summary="List alerts, silences, rules and channels",
        tag="alerts",
        query=ALERT_LIST,
        answers={200: Answer(about="A page of the alerts, and all of the others.", kinds=(alert_views.AlertsAnswer,))},
        errors=(InvalidQueryError,),
    ),
    Route(
        method="POST",
        path="/v1/alerts/silences",
        role="admin",
        handler=alerts.put_silence,
        name="silenceAlerts",
        summary="Tell nobody of some alerts for a time",
        tag="alerts",
        bodies={JSON: alert_views.SilenceRequest},
        answers={201: Answer(about="The silence.", kinds=(alert_views.SilenceObject,))},
        errors=(
            MalformedRequestError,
            MalformedJsonError,
            InvalidOptionError,
            PayloadTooLargeError,
            UnsupportedMediaTypeError,
        ),
    ),
    Route(
        method="POST",
        path="/v1/alerts/silences/{id}/end",
        role="admin",
        handler=alerts.end_silence,
        name="endSilence",
        summary="End a silence now",
        tag="alerts",
        answers={200: Answer(about="The silence.", kinds=(alert_views.SilenceObject,))},
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/alerts/test",
        role="admin",
        handler=alerts.try_channels,
        name="testAlerts",
        summary="Send a test through each channel",
        tag="alerts",
        answers={200: Answer(about="What came of it.", kinds=(alert_views.AlertTestAnswer,))},
    ),
)
