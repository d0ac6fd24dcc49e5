"""Handlers for alerts: look, silence, try the channels."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from hub.alerts.paging import page_of
from hub.decisions.suggestions import did_you_mean
from hub.http import audit
from hub.http.alert_views import (
    AlertsAnswer,
    AlertTestAnswer,
    ChannelTest,
    SilenceRequest,
    channel_object,
    rule_object,
    silence_object,
)
from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.bodies import JSON, media_type, read_body
from hub.http.errors import InvalidOptionError, MalformedJsonError, NotFoundError
from hub.http.parameters import invalid_cursor
from hub.http.queries import alert_list_query

# A silence has a comment of a thousand characters at most.
SILENCE_BYTES_MAX: Final = 16 * 1024

_decoder = msgspec.json.Decoder(SilenceRequest)


async def list_alerts(api: Api, request: web.Request) -> web.StreamResponse:
    """Give a page of what fires, is pending and is over, with the silences, the rules, and how the channels are."""
    query = alert_list_query(request)
    alerts = api.backend.alerts
    try:
        page = page_of(alerts.shown(), states=query.states, limit=query.limit, cursor=query.cursor)
    except ValueError as error:
        raise invalid_cursor(error) from None
    return json_answer(
        AlertsAnswer(
            alerts=page.alerts,
            total=page.total,
            cursor=page.cursor,
            silences=[silence_object(row) for row in alerts.silences()],
            rules=[rule_object(rule) for rule in alerts.rules.values()],
            channels=[channel_object(channel, state) for channel, state in alerts.channels()],
        )
    )


async def put_silence(api: Api, request: web.Request) -> web.StreamResponse:
    """Tell nobody of some alerts for a time. They still fire, and are told then if they still do."""
    media_type(request, (JSON,))
    asked = _decoded(await read_body(request, SILENCE_BYTES_MAX))
    rules = api.backend.alerts.rules
    if asked.rule is not None and asked.rule not in rules:
        raise InvalidOptionError(f"rule is {asked.rule!r}", did_you_mean(asked.rule, list(rules)))
    about = f"{asked.subject or 'all'} for {asked.for_s:.0f} s"
    deed = audit.deed_of(api, request, "alert.silence", asked.rule or "", f"{about}: {asked.comment}")
    api.backend.note(deed)
    row = await api.backend.alerts.silence(
        rule=asked.rule or "",
        subject=asked.subject or "",
        for_s=asked.for_s,
        comment=asked.comment,
        who=deed.who,
    )
    return json_answer(silence_object(row), HTTPStatus.CREATED)


def _decoded(body: bytes) -> SilenceRequest:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        remedy = '{"rule"?: "node_unreachable", "subject"?: "n1", "for_s": 3600, "comment"?: "…"}'
        raise InvalidOptionError(f"the silence is wrong: {error}", remedy) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJsonError(f"the body is not JSON: {error}", "a JSON object") from None


async def end_silence(api: Api, request: web.Request) -> web.StreamResponse:
    """End a silence now. What fires is told at the next look."""
    silence_id = request.match_info["id"]
    audit.note(api, request, "alert.unsilence", silence_id[:128])
    row = await api.backend.alerts.end_silence(silence_id)
    if row is None:
        raise NotFoundError(f"there is no silence {silence_id[:128]!r}", "GET /v1/alerts lists those that are not over")
    return json_answer(silence_object(row))


async def try_channels(api: Api, request: web.Request) -> web.StreamResponse:
    """Send a test through each channel, and say what came of it."""
    await audit.noted(api, request, "alert.test")
    found = await api.backend.alerts.test()
    return json_answer(
        AlertTestAnswer(
            channels=[ChannelTest(channel=name, ok=sent.is_taken, detail=sent.detail) for name, sent in found.items()]
        )
    )
