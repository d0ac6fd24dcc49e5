"""Handlers for the past: charts of the hub, the spans of a node, errors that are alike, attempts of a task."""

from __future__ import annotations

from aiohttp import web

from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.history_queries import groups_query, history_query, since_query
from hub.http.history_views import attempts_answer, errors_answer, history_answer, node_history_answer
from hub.http.nodes import no_node, node_id_of
from hub.http.tasks import no_task, task_id_of
from hub.store.contract import Store
from hub.store.history import NodeSpan

# What is shown if nobody says since when: a node's day.
DAY_S = 24 * 3600.0


async def get_history(api: Api, request: web.Request) -> web.StreamResponse:
    """Give samples of counts and times as columns, for charts."""
    query = history_query(request, api.wall_s())
    samples = await api.backend.read(lambda store: store.samples(query.step_s, query.since, query.until))
    return json_answer(history_answer(query.step_s, samples))


async def get_node_history(api: Api, request: web.Request) -> web.StreamResponse:
    """Give when a node was here, when it was not, and why."""
    node_id = node_id_of(request)
    now_s = api.wall_s()
    since = since_query(request, now_s - DAY_S)
    spans = await api.backend.read(lambda store: _spans(store, node_id, since))
    if spans is None:
        raise no_node(node_id)
    return json_answer(node_history_answer(node_id, since, now_s, spans))


def _spans(store: Store, node_id: str, since: float) -> list[NodeSpan] | None:
    return None if store.node(node_id) is None else store.node_spans(node_id, since)


async def list_errors(api: Api, request: web.Request) -> web.StreamResponse:
    """Give groups of errors that are alike, last seen first."""
    limit = groups_query(request)
    return json_answer(errors_answer(await api.backend.read(lambda store: store.errors(limit))))


async def get_attempts(api: Api, request: web.Request) -> web.StreamResponse:
    """Give the attempts of a task, oldest first."""
    task_id = task_id_of(request)
    found = await api.backend.read(lambda store: store.attempts(task_id))
    if found is None:
        raise no_task(task_id)
    return json_answer(attempts_answer(found))
