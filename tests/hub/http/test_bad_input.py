"""What bad input gets: the right code, a sentence with the value that was wrong, and a hub that goes on."""

from __future__ import annotations

import pytest

from hub.http.decoding import BATCH_BYTES_MAX, TASK_BYTES_MAX
from tests.hub.http.hub_under_test import JSON, NDJSON, HubUnderTest

IDENTIFIER = "1-128 characters"
TASKS: list[tuple[str, bytes, str, str]] = [
    ("nothing", b"", "malformed_json", "not JSON"),
    ("half a task", b'{"name":"a"', "malformed_json", "not JSON"),
    ("two tasks", b'{"name":"a"} {"name":"b"}', "malformed_json", "not JSON"),
    ("not utf-8", b'{"name":"a","options":{"origin":"\xff"}}', "malformed_json", "UTF-8"),
    ("not utf-8 in the payload", b'{"name":"a","payload":{"a":"\xff"}}', "malformed_json", "UTF-8"),
    ("a lone surrogate", b'{"name":"a","payload":{"a":"\\ud800"}}', "malformed_json", "not JSON"),
    ("a lone surrogate in an option", b'{"name":"a","options":{"origin":"\\ud800"}}', "malformed_json", "not JSON"),
    ("NaN", b'{"name":"a","payload":{"a":NaN}}', "malformed_json", "not JSON"),
    ("infinity", b'{"name":"a","payload":{"a":Infinity}}', "malformed_json", "not JSON"),
    ("a number beyond a double", b'{"name":"a","payload":{"a":1e400}}', "malformed_json", "number"),
    ("10,000 digits", b'{"name":"a","payload":{"a":' + b"1" * 10_000 + b"}}", "malformed_json", "number"),
    ("10,000 digits as an option", b'{"name":"a","options":{"priority":' + b"1" * 10_000 + b"}}", "malformed_json", ""),
    ("20 digits as an option", b'{"name":"a","options":{"priority":' + b"1" * 20 + b"}}", "invalid_option", "priority"),
    ("101 levels", b'{"name":"a","payload":' + b'{"a":' * 101 + b"1" + b"}" * 101 + b"}", "malformed_json", "nested"),
    ("100,000 levels", b'{"name":"a","payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed_json", ""),
    ("an unclosed abyss", b"[" * 100_000, "malformed_json", ""),
    ("a list", b"[]", "invalid_task", "the task is []"),
    ("a number", b"7", "invalid_task", "the task is 7"),
    ("no name", b"{}", "invalid_task", "name is missing"),
    ("a name that is a number", b'{"name":1}', "invalid_task", "name is 1"),
    ("a name with a space", b'{"name":"a b"}', "invalid_task", 'name is "a b"'),
    ("a name with a line end", b'{"name":"a\\n"}', "invalid_task", "name is"),
    ("an empty name", b'{"name":""}', "invalid_task", 'name is ""'),
    ("a long id", b'{"name":"a","id":"' + b"x" * 129 + b'"}', "invalid_task", "id is"),
    ("an id that is null", b'{"name":"a","id":null}', "invalid_task", "id is null"),
    ("an unknown field", b'{"name":"a","nmae":1}', "invalid_task", "nmae is unknown"),
    ("a payload that is a list", b'{"name":"a","payload":[1]}', "invalid_task", "payload is [1]"),
    ("a payload that is null", b'{"name":"a","payload":null}', "invalid_task", "payload is null"),
    ("options that are null", b'{"name":"a","options":null}', "invalid_option", "options is null"),
    ("an unknown option", b'{"name":"a","options":{"priorty":1}}', "unknown_option", "options.priorty is unknown"),
    ("an option outside", b'{"name":"a","priority":1}', "unknown_option", "priority is unknown"),
    ("an unknown retry", b'{"name":"a","options":{"retry":{"max":1}}}', "unknown_option", "options.retry.max"),
    ("priority 70000", b'{"name":"a","options":{"priority":70000}}', "invalid_option", "options.priority is 70000"),
    ("priority true", b'{"name":"a","options":{"priority":true}}', "invalid_option", "options.priority is true"),
    ("timeout 0", b'{"name":"a","options":{"timeout_s":0}}', "invalid_option", "options.timeout_s is 0"),
    ("lease 0.5", b'{"name":"a","options":{"lease_s":0.5}}', "invalid_option", "options.lease_s is 0.5"),
    ("origin with NUL", b'{"name":"a","options":{"origin":"a\\u0000b"}}', "invalid_option", "options.origin is "),
    ("key with NUL", b'{"name":"a","options":{"concurrency_key":"\\u0000"}}', "invalid_option", "concurrency_key is "),
    ("label with a line end", b'{"name":"a","options":{"labels":{"l":"a\\n"}}}', "invalid_option", 'labels.l is "a'),
    ("requires ESC", b'{"name":"a","options":{"requires":{"l":"\\u001b"}}}', "invalid_option", "requires.l is "),
    ("on_lost", b'{"name":"a","options":{"on_lost":"x"}}', "invalid_option", 'options.on_lost is "x"'),
    ("a label", b'{"name":"a","options":{"labels":{"k":1}}}', "invalid_option", 'options.labels is {"k":1}'),
    ("a label's name", b'{"name":"a","options":{"requires":{"a b":"c"}}}', "invalid_option", '"a b"'),
    ("a key", b'{"name":"a","options":{"idempotency_key":""}}', "invalid_option", 'idempotency_key is ""'),
    ("a time of day", b'{"name":"a","options":{"deadline":"noon"}}', "invalid_option", 'options.deadline is "noon"'),
    ("a time without zone", b'{"name":"a","options":{"deadline":"2030-01-01T00:00:00"}}', "invalid_option", "2030"),
    ("a time in milliseconds", b'{"name":"a","options":{"deadline":1900000000000}}', "invalid_option", "deadline is"),
    ("a time before time", b'{"name":"a","options":{"not_before":-1}}', "invalid_option", "not_before is -1"),
]


@pytest.mark.parametrize(("body", "code", "words"), [task[1:] for task in TASKS], ids=[task[0] for task in TASKS])
async def test_a_bad_task_is_refused_with_its_reason(hub: HubUnderTest, body: bytes, code: str, words: str) -> None:
    status, answer = await hub.post("/v1/tasks", data=body, headers=JSON)
    error = answer["error"]
    assert (status, error["code"]) == (400, code), error
    assert words in error["message"]
    assert error["remedy"]
    assert len(error["message"]) < 300
    assert "where" not in error
    assert (await hub.post("/v1/broadcasts", data=body, headers=JSON))[0] == 400
    batch = b'{"name":"good"}\n' + (body or b"x")
    status, answer = await hub.post("/v1/tasks", data=batch, headers=NDJSON)
    assert (status, answer["error"]["where"]) == (400, "line 2")
    assert (await hub.get("/v1/tasks"))[1]["tasks"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=ten",
        "limit=1&limit=2",
        "limit=" + "9" * 5000,
        "limit=%D9%A1",
        "state=done",
        "state=queued,done",
        "name=a%20b",
        "node=%00",
        "group=%20",
        "label=site",
        "label=%20=x",
        "label=k=" + "x" * 257,
        "since=yesterday",
        "since=nan",
        "since=-1",
        "since=2030-01-01T00:00:00",
        "origin=" + "x" * 129,
        "id=a,b%20c",
        "id=" + ",".join(f"t{number}" for number in range(1001)),
        "stat=queued",
    ],
)
async def test_a_bad_query_is_refused_with_its_reason(hub: HubUnderTest, query: str) -> None:
    status, answer = await hub.get(f"/v1/tasks?{query}")
    assert (status, answer["error"]["code"]) == (400, "invalid_query")
    assert answer["error"]["remedy"]
    assert len(answer["error"]["message"]) < 300


@pytest.mark.parametrize("query", ["wait=-1", "wait=61", "wait=nan", "wait=soon", "wiat=1", "wait="])
async def test_a_bad_wait_is_refused(hub: HubUnderTest, query: str) -> None:
    await hub.submit(id="t")
    status, answer = await hub.get(f"/v1/tasks/t?{query}")
    assert (status, answer["error"]["code"]) == (400, "invalid_query")


async def test_a_body_one_byte_over_the_limit_is_refused_by_its_length(hub: HubUnderTest) -> None:
    status, answer = await hub.post("/v1/tasks", data=b" " * (TASK_BYTES_MAX + 1), headers=JSON)
    assert (status, answer["error"]["code"]) == (413, "payload_too_large")
    assert str(TASK_BYTES_MAX + 1) in answer["error"]["message"]
    assert (await hub.post("/v1/tasks", data=b" " * TASK_BYTES_MAX, headers=JSON))[0] == 400


@pytest.mark.parametrize(("headers", "limit"), [(JSON, TASK_BYTES_MAX), (NDJSON, BATCH_BYTES_MAX)])
async def test_a_body_without_a_length_is_refused_once_it_is_too_large(
    hub: HubUnderTest, headers: dict[str, str], limit: int
) -> None:
    async def endless() -> object:
        for _ in range(limit // 65536 + 1):
            yield b" " * 65536

    status, answer = await hub.post("/v1/tasks", data=endless(), headers=headers)
    assert (status, answer["error"]["code"]) == (413, "payload_too_large")


async def test_a_batch_in_many_parts_is_read_whole(hub: HubUnderTest) -> None:
    async def parts() -> object:
        for number in range(100):
            yield b'{"id":"t%d","na' % number
            yield b'me":"work"}\n'

    status, answer = await hub.post("/v1/tasks", data=parts(), headers=NDJSON)
    assert (status, len(answer["tasks"])) == (200, 100)
