"""The document is what the hub does: a fuzzer that reads it finds no 5xx and no answer that it does not describe."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.http.openapi import ALL_ROUTES, document
from hub.http.route import errors_of
from tests.hub.http.hub_under_test import HubUnderTest

DOCUMENT = document(ALL_ROUTES)
# The event stream never ends: test_event_stream.py reads it.
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/v1/events")


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a hub in a thread of its own: the fuzzer blocks."""
    started: Future[str] = Future()
    path: Path = tmp_path_factory.mktemp("openapi") / "hub.db"
    ended = threading.Event()

    async def serve() -> None:
        async with HubUnderTest(path) as hub:
            hub.register("n1")
            await hub.submit(id="t1")
            hub.claim()
            hub.succeed("t1", value=b'{"a":1}')
            await hub.submit(id="t2")
            started.set_result(f"http://127.0.0.1:{hub.server.port}")
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield started.result(10)
    finally:
        ended.set()
        thread.join()


@SCHEMA.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_is_answered_that_the_document_does_not_describe(case: schemathesis.Case, address: str) -> None:
    if "wait" in case.query:
        case.query["wait"] = 0
    response = case.call(base_url=address)
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )


# --- what must be in it ---------------------------------------------------------------------------------------------


async def test_it_is_served(hub: HubUnderTest) -> None:
    assert await hub.get("/openapi.json") == (200, DOCUMENT)


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: route.name)
def test_every_error_that_a_route_can_answer_is_in_it(route: Any) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    for error in errors_of(route):
        response = operation["responses"][str(error.status.value)]
        assert error.code in response["description"] or int(error.status) in route.answers
    assert operation.get("x-role") == route.role
    assert ("security" in operation) == (route.role is not None)


def test_a_task_shows_all_of_its_options() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    options = schemas["TimedOptions"]["properties"]
    assert options["priority"] == {"type": "integer", "minimum": -1000, "maximum": 1000, "default": 0}
    assert {"type": "string", "format": "date-time"} in options["deadline"]["anyOf"]
    assert schemas["TimedTaskRequest"]["required"] == ["name"]


async def test_what_the_stream_sends_has_the_shape_that_is_described(hub: HubUnderTest) -> None:
    hub.register()
    await hub.submit(id="a")
    await hub.submit(id="b")
    hub.claim()
    hub.succeed("a", value=b"1")
    hub.fail("b")
    schema = {"$ref": "#/components/schemas/EventObject", "components": DOCUMENT["components"]}
    async with hub.client.get("/v1/events?last_event_id=0") as answer:
        await answer.content.readuntil(b"\n\n")
        for _ in range(7):
            message = (await answer.content.readuntil(b"\n\n")).decode()
            jsonschema.validate(json.loads(message.split("data: ", 1)[1]), schema)
