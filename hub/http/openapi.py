"""The API as an OpenAPI 3.1 document, made from the table of routes and the values that they take and give."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web
from msgspec import Struct

from hub.events.endings import StreamEnd
from hub.events.objects import EventObject
from hub.http.answers import bytes_answer
from hub.http.api import Api
from hub.http.bodies import JSON, NDJSON
from hub.http.errors import ErrorAnswer
from hub.http.event_stream import Hello, Reset
from hub.http.hub_views import PulseObject
from hub.http.route import Answer, Route, errors_of
from hub.http.routes import ROUTES
from protocol.limits import IDENTIFIER_PATTERN

_REFERENCE: Final = "#/components/schemas/{name}"

_PAYLOAD: Final = {"type": "object", "description": "The handler's named parameters."}


class Document(Struct, frozen=True):
    """An OpenAPI document: see the specification."""

    openapi: str


async def get_document(_api: Api, _request: web.Request) -> web.StreamResponse:
    """Give this document."""
    return bytes_answer(encoded_document())


OPENAPI_ROUTE: Final = Route(
    method="GET",
    path="/openapi.json",
    role=None,
    handler=get_document,
    name="getOpenapi",
    summary="Get this document",
    tag="hub",
    answers={200: Answer(about="OpenAPI 3.1.", kinds=(Document,))},
)

ALL_ROUTES: Final = (*ROUTES, OPENAPI_ROUTE)


@cache
def encoded_document() -> bytes:
    """Give the document as JSON; it is made once."""
    return orjson.dumps(document(ALL_ROUTES))


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Give the document as plain values."""
    table = tuple(routes)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in table:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moorline",
            "version": "1",
            "license": {"name": "MIT"},
            "description": "The HTTP API of a hub. Times are seconds since 1970 (UTC). Unknown fields are refused in "
            "requests and to be ignored in answers.",
        },
        "tags": [{"name": "tasks"}, {"name": "nodes"}, {"name": "alerts"}, {"name": "hub"}],
        "paths": dict(paths),
        "components": {
            "schemas": _schemas(table),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A hub without tokens serves its own machine alone, and needs none.",
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": _responses(route),
    }
    if about := inspect.getdoc(route.handler):
        operation["description"] = about
    if route.role is not None:
        operation["security"] = [{"token": []}, {}]
        operation["x-role"] = route.role
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.bodies:
        content = {media: _body(media, kind) for media, kind in route.bodies.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": item.name, "in": "query", "description": item.about, "schema": dict(item.schema)}
        for item in route.query
    ]
    if "{id}" in route.path:
        schema = {"type": "string", "pattern": IDENTIFIER_PATTERN}
        parameters.append({"name": "id", "in": "path", "required": True, "schema": schema})
    return parameters


def _body(media: str, kind: type[Struct]) -> dict[str, Any]:
    if media == NDJSON:
        # OpenAPI 3.1 has no words for a sequence: the schema is that of each line.
        return {"schema": {"type": "string", "description": f"One {kind.__name__} on each line."}}
    return {"schema": _reference(kind)}


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[int, dict[str, Any]] = {
        status: {"description": answer.about, **_content(status, answer)} for status, answer in route.answers.items()
    }
    codes: dict[int, list[str]] = defaultdict(list)
    for error in errors_of(route):
        if error.code not in codes[error.status]:
            codes[error.status].append(error.code)
    for status, names in codes.items():
        if status in responses:
            continue
        said = ", ".join(f"`{name}`" for name in names)
        responses[status] = {
            "description": f"{HTTPStatus(status).phrase}: {said}.",
            "content": {JSON: {"schema": _reference(ErrorAnswer)}},
        }
        if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
            seconds = {"description": "Seconds to stay away.", "schema": {"type": "integer", "minimum": 1}}
            responses[status]["headers"] = {"Retry-After": seconds}
    return {str(status): responses[status] for status in sorted(responses)}


def _content(status: int, answer: Answer) -> dict[str, Any]:
    if status == HTTPStatus.NO_CONTENT:
        return {}
    return {"content": {answer.media: {"schema": _any_of(answer.kinds)}}}


def _any_of(kinds: tuple[type[Struct], ...]) -> dict[str, Any]:
    if not kinds:
        return {"type": "string"}
    references = [_reference(kind) for kind in kinds]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _reference(kind: type[Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _schemas(routes: tuple[Route, ...]) -> dict[str, Any]:
    kinds: list[type[Struct]] = [ErrorAnswer, EventObject, PulseObject, Hello, Reset, StreamEnd]
    for route in routes:
        kinds += [kind for answer in route.answers.values() for kind in answer.kinds]
        kinds += route.bodies.values()
    _, schemas = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=_REFERENCE)
    for name, schema in schemas.items():
        if name == "TimedTaskRequest":
            schema["properties"]["payload"] = _PAYLOAD
    return schemas
