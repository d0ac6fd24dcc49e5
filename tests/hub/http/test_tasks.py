from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hub.decisions.sessions import LiveNode
from hub.store.errors import StoreUnavailableError
from hub.store.logs import AppendLogs
from protocol.frames import LogLine, Progress
from protocol.limits import PAYLOAD_BYTES_MAX
from tests.hub.http.hub_under_test import JSON, NDJSON, HubUnderTest


async def eventually(condition: Any) -> None:
    """Let the loop turn until a fact holds."""
    while not condition():
        await asyncio.sleep(0)


# --- submitting -----------------------------------------------------------------------------------------------------


async def test_a_new_task_is_answered_with_201_and_a_repeated_one_with_200(hub: HubUnderTest) -> None:
    task = {"id": "t1", "name": "work", "payload": {"a": 1}}
    assert await hub.post("/v1/tasks", json=task) == (201, {"id": "t1", "state": "queued", "existing": False})
    assert await hub.post("/v1/tasks", json=task) == (200, {"id": "t1", "state": "queued", "existing": True})


async def test_an_id_is_made_where_the_client_gave_none(hub: HubUnderTest) -> None:
    first, second = await hub.submit(), await hub.submit()
    assert len(first) == len(second) == 26
    assert first < second


async def test_an_idempotency_key_gives_the_first_task(hub: HubUnderTest) -> None:
    first = await hub.submit(options={"idempotency_key": "k"})
    status, body = await hub.post("/v1/tasks", json={"name": "work", "options": {"idempotency_key": "k"}})
    assert (status, body) == (200, {"id": first, "state": "queued", "existing": True})


async def test_a_batch_is_answered_in_its_order_and_doubles_are_one_task(hub: HubUnderTest) -> None:
    lines = b'{"id":"b","name":"work"}\r\n\n{"id":"a","name":"work"}\n{"id":"b","name":"other"}\n'
    status, body = await hub.post("/v1/tasks", data=lines, headers=NDJSON)
    assert status == 200
    assert [(task["id"], task["existing"]) for task in body["tasks"]] == [("b", False), ("a", False), ("b", True)]


async def test_an_empty_batch_is_answered_with_none(hub: HubUnderTest) -> None:
    assert await hub.post("/v1/tasks", data=b"\n", headers=NDJSON) == (200, {"tasks": []})


async def test_one_bad_line_refuses_the_whole_batch_and_is_named(hub: HubUnderTest) -> None:
    lines = b'{"id":"a","name":"work"}\n{"id":"b","name":"work","options":{"priority":70000}}\n{"id":"c","name":"x"}'
    status, body = await hub.post("/v1/tasks", data=lines, headers=NDJSON)
    assert status == 400
    assert body["error"] == {
        "code": "invalid_option",
        "message": "options.priority is 70000",
        "remedy": "an integer from -1000 to 1000",
        "where": "line 2",
    }
    assert (await hub.get("/v1/tasks"))[1]["tasks"] == []


async def test_a_batch_may_have_ten_thousand_lines_and_not_one_more(hub: HubUnderTest) -> None:
    line = b'{"name":"w"}\n'
    status, body = await hub.post("/v1/tasks", data=line * 10_000, headers=NDJSON)
    assert (status, len(body["tasks"])) == (200, 10_000)
    status, body = await hub.post("/v1/tasks", data=line * 10_001, headers=NDJSON)
    assert (status, body["error"]["code"]) == (413, "too_many_tasks")


async def test_times_may_be_written_as_rfc_3339(hub: HubUnderTest) -> None:
    await hub.submit(id="t", options={"not_before": "2040-01-01T00:00:00+01:00", "deadline": 2_300_000_000})
    _, task = await hub.get("/v1/tasks/t")
    assert (task["state"], task["due_at"], task["deadline_at"]) == ("scheduled", 2208985200.0, 2_300_000_000)


async def test_a_payload_may_be_as_large_as_the_limit_and_not_a_byte_more(hub: HubUnderTest) -> None:
    def body(size_bytes: int) -> bytes:
        return b'{"name":"work","payload":{"a":"%b"}}' % (b"x" * (size_bytes - len(b'{"a":""}')))

    assert (await hub.post("/v1/tasks", data=body(PAYLOAD_BYTES_MAX), headers=JSON))[0] == 201
    status, answer = await hub.post("/v1/tasks", data=body(PAYLOAD_BYTES_MAX + 1), headers=JSON)
    assert (status, answer["error"]["code"]) == (413, "payload_too_large")
    assert "262145 bytes" in answer["error"]["message"]
    batch = b'{"name":"work"}\n' + body(PAYLOAD_BYTES_MAX + 1)
    status, answer = await hub.post("/v1/tasks", data=batch, headers=NDJSON)
    assert (status, answer["error"]["where"]) == (413, "line 2")


async def test_payload_and_value_stay_the_bytes_that_they_were(hub: HubUnderTest) -> None:
    payload = b'{ "b": 1.10,\n "a": "\xc3\xa4\\u00e4" }'
    await hub.post("/v1/tasks", data=b'{"id":"t","name":"work","payload":%b}' % payload, headers=JSON)
    hub.claim()
    hub.succeed("t", value=b"[1.10,  2]")
    async with hub.client.get("/v1/tasks/t") as answer:
        text = await answer.read()
    assert b'"payload":' + payload in text
    assert b'"value":[1.10,  2]' in text


async def test_strict_names_refuse_what_no_node_handles(tmp_path: Path) -> None:
    async with HubUnderTest(tmp_path / "hub.db", strict_names=True) as hub:
        hub.backend.names.add("work")
        assert (await hub.post("/v1/tasks", json={"name": "work"}))[0] == 201
        status, body = await hub.post("/v1/tasks", json={"name": "wrok"})
        assert (status, body["error"]["code"]) == (422, "unknown_name")
        lines = b'{"name":"work"}\n{"name":"work"}\n{"name":"wrok"}'
        status, body = await hub.post("/v1/tasks", data=lines, headers=NDJSON)
        assert (status, body["error"]["where"]) == (422, "task 3")
        assert (await hub.post("/v1/broadcasts", json={"name": "wrok"}))[0] == 422


async def test_a_broadcast_makes_a_task_for_each_node_that_matches(hub: HubUnderTest) -> None:
    hub.register("n1", "work", site="berlin")
    hub.register("n2", "work", site="oslo")
    hub.register("n3", "other", site="berlin")
    status, body = await hub.post("/v1/broadcasts", json={"id": "g", "name": "work"})
    assert status == 201
    assert body["group"] == "g"
    assert [(task["node"], task["existing"]) for task in body["tasks"]] == [("n1", False), ("n2", False)]
    chosen = {"name": "work", "options": {"requires": {"site": "oslo"}}}
    _, body = await hub.post("/v1/broadcasts", json=chosen)
    assert [task["node"] for task in body["tasks"]] == ["n2"]
    _, page = await hub.get("/v1/tasks?group=g")
    assert {task["target"] for task in page["tasks"]} == {"n1", "n2"}


# --- looking --------------------------------------------------------------------------------------------------------


async def test_a_task_shows_every_field_of_the_contract(hub: HubUnderTest) -> None:
    await hub.submit(id="t", payload={"a": 1}, options={"origin": "me", "labels": {"k": "v"}, "priority": 3})
    _, task = await hub.get("/v1/tasks/t")
    assert list(task) == [
        *("id", "name", "state", "priority", "attempt", "failures", "losses", "node", "target", "requires", "labels"),
        *("origin", "group", "submitted_at", "due_at", "deadline_at", "started_at", "finished_at", "run_s", "wait_s"),
        *("progress", "error", "options", "payload"),
    ]
    assert (task["origin"], task["labels"], task["priority"]) == ("me", {"k": "v"}, 3)
    assert task["options"] == {"origin": "me", "labels": {"k": "v"}, "priority": 3}


async def test_progress_is_shown_while_its_attempt_runs(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    hub.backend.progresses["t"] = Progress(task_id="t", attempt=1, done=2, total=4, message="half")
    assert (await hub.get("/v1/tasks/t"))[1]["progress"] is None
    hub.claim()
    assert (await hub.get("/v1/tasks/t"))[1]["progress"] == {"done": 2.0, "total": 4.0, "message": "half"}


async def test_a_failed_task_shows_its_error(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    hub.claim()
    hub.fail("t", "broken")
    _, task = await hub.get("/v1/tasks/t")
    assert task["error"] == {
        "kind": "error",
        "message": "broken",
        "type": "ValueError",
        "traceback": "",
        "retryable": True,
    }


async def test_tasks_are_listed_newest_first_page_by_page(hub: HubUnderTest) -> None:
    for number in range(5):
        await hub.submit(id=f"t{number}")
    seen: list[str] = []
    cursor = ""
    while True:
        _, page = await hub.get(f"/v1/tasks?limit=2{cursor}")
        seen += [task["id"] for task in page["tasks"]]
        assert all("payload" not in task for task in page["tasks"])
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert seen == ["t4", "t3", "t2", "t1", "t0"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=succeeded", ["a"]),
        ("state=succeeded,queued", ["c", "a"]),
        ("name=other", ["c"]),
        ("node=n1", ["b", "a"]),
        ("label=site%3Dberlin", ["a"]),
        ("origin=me", ["b"]),
        ("id=a,c,zzz", ["c", "a"]),
        ("since=1", ["c", "b", "a"]),
        ("since=2100-01-01T00:00:00Z", []),
        ("since=2000-01-01T00:00:00+01:00", ["c", "b", "a"]),
        ("group=g", []),
    ],
)
async def test_a_filter_selects(hub: HubUnderTest, query: str, expected: list[str]) -> None:
    await hub.submit(id="a", options={"labels": {"site": "berlin"}})
    await hub.submit(id="b", options={"origin": "me"})
    hub.claim()
    hub.succeed("a")
    await hub.submit("other", id="c")
    _, page = await hub.get(f"/v1/tasks?{query}")
    assert [task["id"] for task in page["tasks"]] == expected


async def test_a_list_of_ids_is_answered_whole_without_a_limit(hub: HubUnderTest) -> None:
    ids = [f"t{number}" for number in range(80)]
    await hub.post("/v1/tasks", data=b"\n".join(b'{"id":"%b","name":"w"}' % i.encode() for i in ids), headers=NDJSON)
    _, page = await hub.get(f"/v1/tasks?id={','.join(ids)}")
    assert len(page["tasks"]) == 80


async def test_wait_holds_until_the_task_is_final(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    hub.claim()
    waiting = asyncio.create_task(hub.get("/v1/tasks/t?wait=60"))
    await eventually(lambda: hub.backend.events.watches)
    hub.succeed("t", value=b"7")
    _, task = await waiting
    assert (task["state"], task["value"]) == ("succeeded", 7)
    assert hub.backend.events.watches == 0


async def test_wait_answers_at_once_for_a_final_task_and_after_its_time_for_another(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    assert (await hub.get("/v1/tasks/t?wait=0.01"))[1]["state"] == "queued"
    await hub.post("/v1/tasks/t/cancel")
    assert (await hub.get("/v1/tasks/t?wait=60"))[1]["state"] == "cancelled"
    assert (await hub.get("/v1/tasks/none?wait=60"))[0] == 404


async def test_a_client_that_leaves_gives_up_its_place_among_those_who_wait(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    _, writer = await asyncio.open_connection("127.0.0.1", hub.server.port)
    writer.write(b"GET /v1/tasks/t?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        await eventually(lambda: hub.backend.events.watches)
        writer.close()
        await eventually(lambda: not hub.backend.events.watches)


async def test_a_hub_that_stops_lets_go_whoever_waits(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    waiting = asyncio.create_task(hub.get("/v1/tasks/t?wait=60"))
    await eventually(lambda: hub.backend.events.watches)
    hub.backend.events.close()
    status, body = await waiting
    assert (status, body["error"]["code"]) == (503, "stopping")
    assert (await hub.get("/v1/tasks/t?wait=60"))[0] == 503


async def test_explain_gives_a_reason_for_each_node(hub: HubUnderTest) -> None:
    hub.register("n1", "work")
    hub.register("n2", "other")
    await hub.submit(id="t")
    status, body = await hub.get("/v1/tasks/t/explain")
    assert status == 200
    assert (body["task_id"], body["state"], body["position"]) == ("t", "queued", 1)
    assert [(node["node_id"], node["reason"]) for node in body["nodes"]] == [
        ("n1", "can_run"),
        ("n2", "handler_unknown"),
    ]


async def test_explain_says_what_waits_in_the_hub_and_for_what(hub: HubUnderTest) -> None:
    hub.register("n1", "work")
    await hub.submit(id="t")
    hub.claim("n1")
    await hub.submit(id="u")
    slow = LiveNode(
        slots_in_use=1,
        outbox=0,
        load=None,
        loop_lag_ms=None,
        round_trip_ms=None,
        draining=False,
        heard_s=0.0,
        unsent_bytes=4 * 1024 * 1024,
        unsent_tasks=1,
        has_room=False,
    )
    hub.backend.lives["n1"] = slow
    hub.backend.unsent.add(("n1", ("t", 1)))
    _, assigned = await hub.get("/v1/tasks/t/explain")
    assert "waits for the node to read more" in assigned["summary"]
    _, queued = await hub.get("/v1/tasks/u/explain")
    assert [(node["node_id"], node["reason"]) for node in queued["nodes"]] == [("n1", "backlog")]
    hub.backend.lives.clear()
    hub.backend.degraded = "the disk is full"
    _, queued = await hub.get("/v1/tasks/u/explain")
    assert "takes commits: the disk is full" in queued["nodes"][0]["detail"]


async def test_logs_are_given_oldest_first(hub: HubUnderTest) -> None:
    hub.register("n1")
    await hub.submit(id="t")
    hub.claim()
    lines = [LogLine(task_id="t", attempt=1, at=float(n), level="INFO", message=f"m{n}") for n in range(3)]
    hub.backend.execute(AppendLogs(node_id="n1", lines=lines, lines_max=2))
    _, body = await hub.get("/v1/tasks/t/logs")
    assert len(body["lines"]) == 2
    assert body["dropped"] == 1
    assert list(body["lines"][0]) == ["at", "attempt", "level", "message"]


# --- deciding -------------------------------------------------------------------------------------------------------


async def test_cancel_gives_the_task_and_leaves_final_ones_as_they_are(hub: HubUnderTest) -> None:
    await hub.submit(id="a")
    await hub.submit(id="b")
    assert (await hub.post("/v1/tasks/a/cancel"))[1]["state"] == "cancelled"
    hub.claim()
    hub.succeed("b")
    status, task = await hub.post("/v1/tasks/b/cancel")
    assert (status, task["state"]) == (200, "succeeded")


async def test_retry_queues_a_finished_task_again_and_refuses_others(hub: HubUnderTest) -> None:
    await hub.submit(id="t")
    status, body = await hub.post("/v1/tasks/t/retry")
    assert (status, body["error"]["code"], body["error"]["message"]) == (409, "conflict", "task t is queued")
    await hub.post("/v1/tasks/t/cancel")
    status, task = await hub.post("/v1/tasks/t/retry")
    assert (status, task["state"]) == (200, "queued")
    hub.claim()
    await hub.post("/v1/tasks/t/cancel")
    status, body = await hub.post("/v1/tasks/t/retry")
    assert status == 409
    assert "has not said yet that it has stopped" in body["error"]["message"]


# --- when it cannot be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["", "/explain", "/logs"])
@pytest.mark.parametrize("task_id", ["none", "%20", "a%2Fb", "x" * 200, "%ff", "%F0%9F%8E%89"])
async def test_an_unknown_task_is_not_found(hub: HubUnderTest, verb: str, task_id: str) -> None:
    status, body = await hub.get(f"/v1/tasks/{task_id}{verb}")
    assert (status, body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
async def test_an_unknown_task_cannot_be_decided(hub: HubUnderTest, verb: str) -> None:
    assert (await hub.post(f"/v1/tasks/none/{verb}"))[0] == 404
    assert (await hub.post(f"/v1/tasks/%20/{verb}"))[0] == 404


async def test_a_degraded_hub_says_so_and_when_to_come_back(hub: HubUnderTest) -> None:
    hub.backend.degraded = "no space"
    async with hub.client.post("/v1/tasks", json={"name": "work"}) as answer:
        body = await answer.json()
        assert (answer.status, body["error"]["code"]) == (503, "degraded")
        assert int(answer.headers["Retry-After"]) >= 1
    assert "no space" in body["error"]["message"]
    assert (await hub.get("/v1/tasks"))[0] == 200


async def test_a_stopping_hub_says_so(hub: HubUnderTest) -> None:
    hub.backend.stopping = True
    status, body = await hub.post("/v1/tasks", json={"name": "work"})
    assert (status, body["error"]["code"]) == (503, "stopping")


async def test_a_store_that_cannot_be_read_is_503(hub: HubUnderTest) -> None:
    hub.backend.read_error = StoreUnavailableError("busy")
    status, body = await hub.get("/v1/tasks")
    assert (status, body["error"]["code"]) == (503, "degraded")


async def test_a_cursor_of_somebody_else_is_refused(hub: HubUnderTest) -> None:
    status, body = await hub.get("/v1/tasks?cursor=bogus")
    assert (status, body["error"]["code"]) == (400, "invalid_query")
