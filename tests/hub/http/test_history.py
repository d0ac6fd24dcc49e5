from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from hub.decisions.meter import BOUNDS_S
from hub.store.history import NoteSample
from hub.store.nodes import NodeLeft
from tests.hub.decisions.test_samples import sample
from tests.hub.http.hub_under_test import HubUnderTest


def note(hub: HubUnderTest, at: float, **more: Any) -> None:
    hub.backend.execute(NoteSample(sample=sample(at, **more)))


def buckets(number: int, count: int) -> list[int]:
    return [count if place == number else 0 for place in range(len(BOUNDS_S) + 1)]


async def test_samples_are_columns_with_every_name_of_the_contract(hub: HubUnderTest) -> None:
    note(hub, 1_000.0, queued=3, submitted=7, oldest_queued_s=2.5, nodes_online=2, nodes_away=1)
    note(hub, 1_010.0, waits=buckets(0, 4), runs=buckets(9, 10))
    status, body = await hub.get("/v1/history")
    assert status == 200
    assert list(body) == [
        *("step_s", "at", "queued", "running", "scheduled", "submitted", "succeeded", "failed", "cancelled"),
        *("expired", "lost", "oldest_queued_s", "wait_p50_s", "wait_p95_s", "run_p50_s", "run_p95_s"),
        *("nodes_online", "nodes_away"),
    ]
    assert (body["step_s"], body["at"]) == (10, [1_000.0, 1_010.0])
    assert (body["queued"], body["submitted"], body["oldest_queued_s"]) == ([3, 0], [7, 0], [2.5, 0])
    assert (body["nodes_online"], body["nodes_away"]) == ([2, 0], [1, 0])
    assert (body["wait_p50_s"], body["run_p50_s"], body["run_p95_s"]) == ([None, 0.0005], [None, 0.75], [None, 0.975])


async def test_a_longer_step_and_a_time_are_asked_for(hub: HubUnderTest) -> None:
    for at in (300, 310, 600, 610):
        note(hub, at)
    _, body = await hub.get("/v1/history?step=300")
    assert (body["step_s"], body["at"]) == (300, [300, 600])
    assert (await hub.get("/v1/history?since=300&until=600"))[1]["at"] == [310, 600]
    assert (await hub.get("/v1/history?step=300&since=1970-01-01T00:05:00Z"))[1]["at"] == [600]


@pytest.mark.parametrize("query", ["step=60", "step=x", "since=soon", "until=-1", "stop=10"])
async def test_a_query_that_is_none_is_refused(hub: HubUnderTest, query: str) -> None:
    status, body = await hub.get(f"/v1/history?{query}")
    assert (status, body["error"]["code"]) == (400, "invalid_query")


async def test_a_node_shows_when_it_was_here_and_why_it_left(hub: HubUnderTest) -> None:
    before = time.time()
    hub.register("n1")
    hub.backend.execute(NodeLeft(node_id="n1", instance_id="n1-i", session_id="n1-s", reason="the cable"))
    status, body = await hub.get("/v1/nodes/n1/history")
    assert status == 200
    assert list(body) == ["node_id", "since", "until", "spans"]
    assert before - 24 * 3600 <= body["since"] <= body["until"] - 24 * 3600 + 1
    first, second = body["spans"]
    assert (first["state"], first["reason"], first["ended_at"]) == ("online", "", second["began_at"])
    assert (second["state"], second["reason"], second["ended_at"]) == ("unreachable", "the cable", None)
    _, body = await hub.get(f"/v1/nodes/n1/history?since={time.time() + 5}")
    assert [span["state"] for span in body["spans"]] == ["unreachable"]


async def test_history_is_there_after_a_restart(tmp_path: Path) -> None:
    async with HubUnderTest(tmp_path / "hub.db") as before:
        before.register("n1")
        note(before, 1_000.0, submitted=7)
    async with HubUnderTest(tmp_path / "hub.db") as after:
        assert (await after.get("/v1/history"))[1]["submitted"] == [7]
        assert len((await after.get("/v1/nodes/n1/history"))[1]["spans"]) == 1


async def test_an_unknown_node_has_no_history(hub: HubUnderTest) -> None:
    assert (await hub.get("/v1/nodes/none/history"))[0] == 404
    assert (await hub.get("/v1/nodes/%20/history"))[0] == 404


async def test_errors_that_are_alike_are_one_group(hub: HubUnderTest) -> None:
    hub.register()
    for task_id in ("a", "b"):
        await hub.submit(id=task_id)
        hub.claim()
        hub.fail(task_id, f"no {task_id}1")
    status, body = await hub.get("/v1/errors")
    assert status == 200
    (group,) = body["groups"]
    assert list(group) == [
        *("id", "name", "kind", "type", "message", "place", "count", "first_at", "last_at", "last_task_id")
    ]
    assert (group["name"], group["kind"], group["type"], group["message"]) == ("work", "error", "ValueError", "no a#")
    assert (group["count"], group["last_task_id"], len(group["id"])) == (2, "b", 16)
    assert (await hub.get("/v1/errors?limit=0"))[0] == 400


async def test_a_task_shows_its_attempts(hub: HubUnderTest) -> None:
    hub.register()
    await hub.submit(id="a", options={"retry": {"max_attempts": 2, "initial_s": 0}})
    hub.claim()
    hub.fail("a")
    hub.claim()
    status, body = await hub.get("/v1/tasks/a/attempts")
    assert status == 200
    first, second = body["attempts"]
    assert list(first) == ["attempt", "node", "started_at", "ended_at", "outcome", "run_s", "error"]
    assert (first["attempt"], first["node"], first["outcome"]) == (1, "n1", "failed")
    assert first["error"]["message"] == "no"
    assert (second["attempt"], second["ended_at"], second["outcome"], second["error"]) == (2, None, None, None)
    assert (await hub.get("/v1/tasks/none/attempts"))[0] == 404
