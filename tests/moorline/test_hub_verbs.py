from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from moorline import Client, HubError, NotFoundError, Task
from moorline.views import Bulk, NodeCell
from tests.moorline import sample_tasks
from tests.moorline.fake_hub import FakeHub, hold

# The fake hub gives a task's payload back as its value, whatever the handler's annotation says.
echo: Task[..., Any] = sample_tasks.echo
anything: Task[..., Any] = sample_tasks.anything


async def test_tasks_are_listed_over_pages(client: Client, fake_hub: FakeHub) -> None:
    handles = await client.submit_many(echo, range(450))
    listed = [view.id async for view in client.list()]
    assert listed == [handle.id for handle in reversed(handles)]
    assert [view.id async for view in client.list(limit=3)] == listed[:3]
    assert [view.id async for view in client.list(limit=0)] == []
    assert {view.id async for view in client.list(ids=listed[:2])} == set(listed[:2])


async def test_filters_of_a_list_are_sent_as_the_api_takes_them(client: Client, fake_hub: FakeHub) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    filters: dict[str, Any] = {"name": "n", "node": "m", "group": "g", "origin": "o", "since": at}
    assert [view async for view in client.list(state=["failed", "lost"], labels={"k": "v"}, **filters)] == []
    assert [view async for view in client.list(since=5)] == []
    _, path, _ = fake_hub.requests[-2]
    assert path == (
        f"/v1/tasks?state=failed,lost&name=n&node=m&label=k%3Dv&since={at.timestamp()}&group=g&origin=o&limit=200"
    )


async def test_of_several_labels_all_must_match(client: Client, fake_hub: FakeHub) -> None:
    for team in ("a", "b"):
        fake_hub.tasks[team] = {"id": team, "name": "n", "state": "queued", "labels": {"site": "x", "team": team}}
    assert [view.id async for view in client.list(labels={"site": "x", "team": "b"})] == ["b"]


async def test_a_task_can_be_looked_at_from_all_sides(client: Client, fake_hub: FakeHub) -> None:
    handle = await client.submit(anything, x=1)
    assert (await client.get(handle.id)).payload == {"x": 1}
    assert (await client.explain(handle.id)).nodes[0].reason == "busy"
    assert [line.message for line in (await client.logs(handle.id)).lines] == [handle.id]
    assert (await client.cancel(handle.id)).is_final
    with pytest.raises(NotFoundError):
        await client.get("not/there?")


async def test_nodes_are_shown_and_told(client: Client) -> None:
    assert [node.id for node in await client.nodes()] == ["n1", "n2"]
    assert (await client.node("n1")).totals == {"succeeded": 3, "run_s": 1.5}
    assert (await client.cordon("n1")).cordoned
    for action in (client.uncordon, client.drain, client.disconnect):
        assert (await action("n1")).id == "n1"
    with pytest.raises(NotFoundError):
        await client.node("n3")
    assert (await client.stats()).hub.id == "h1"


async def test_the_past_is_shown(client: Client, fake_hub: FakeHub) -> None:
    history = await client.history(step_s=300, since=5.0, until=datetime.fromtimestamp(7, UTC))
    assert (history.step_s, history.at, history.submitted, history.wait_p50_s) == (300, [300.0], [7], [None])
    assert [span.state for span in (await client.node_history("n1", since=5.0)).spans] == ["online"]
    assert [(group.id, group.count) for group in await client.errors(limit=3)] == [("a1", 3)]
    (attempt,) = await client.attempts("t")
    assert (attempt.outcome, attempt.error and attempt.error.kind) == ("lost", "lost")
    assert [path for _, path, _ in fake_hub.requests] == [
        "/v1/history?step=300&since=5.0&until=7.0",
        "/v1/nodes/n1/history?since=5.0",
        "/v1/errors?limit=3",
        "/v1/tasks/t/attempts",
    ]
    with pytest.raises(NotFoundError):
        await client.node_history("nobody")


async def test_the_audit_log_is_given_page_by_page_as_far_as_it_is_wanted(
    client: Client, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorline.hub_verbs.AUDIT_LINES_PER_PAGE", 2)
    assert [entry.id async for entry in client.audit()] == [4, 3, 2, 1]
    assert [entry.id async for entry in client.audit(limit=3)] == [4, 3, 2]
    assert [entry.id async for entry in client.audit(limit=0)] == []
    assert [path for _, path, _ in fake_hub.requests][2:] == ["/v1/audit?limit=2", "/v1/audit?cursor=3&limit=1"]


async def test_filters_are_sent_as_they_are_written(client: Client, fake_hub: FakeHub) -> None:
    assert [view async for view in client.list(filter="state=failed name~a", limit=5)] == []
    page = await client.task_page("age>5m", limit=7, cursor="3")
    assert (page.tasks, page.cursor) == ([], None)
    await client.nodes("free>0", sort="-used")
    await client.nodes()
    assert [path for _, path, _ in fake_hub.requests] == [
        "/v1/tasks?filter=state%3Dfailed+name~a&limit=5",
        "/v1/tasks?filter=age%3E5m&limit=7&cursor=3",
        "/v1/nodes?filter=free%3E0&sort=-used",
        "/v1/nodes",
    ]


async def test_nodes_come_in_pages_and_as_a_map(client: Client, fake_hub: FakeHub) -> None:
    first = await client.node_page(limit=1)
    assert ([node.id for node in first.nodes], first.total) == (["n1"], 2)
    last = await client.node_page("id~n", sort="state", limit=1, cursor=first.cursor)
    assert ([node.id for node in last.nodes], last.cursor) == (["n2"], None)
    assert fake_hub.requests[-1][1] == "/v1/nodes?filter=id~n&sort=state&limit=1&cursor=1"
    assert await client.slot_map() == [NodeCell("n1", "online", 4, 1, False), NodeCell("n2", "online", 4, 1, False)]


async def test_tasks_are_counted_and_changed_by_a_filter(client: Client, fake_hub: FakeHub) -> None:
    assert await client.bulk("retry", "state=lost", count_only=True) == Bulk(matched=3, more=True, cursor="9")
    assert (await client.bulk("cancel", "name=a", limit=5, cursor="9")).changed == 2
    assert [orjson.loads(body) for _, _, body in fake_hub.requests] == [
        {"action": "retry", "filter": "state=lost", "count_only": True, "limit": 10000, "cursor": None},
        {"action": "cancel", "filter": "name=a", "count_only": False, "limit": 5, "cursor": "9"},
    ]


async def test_events_are_followed_through_a_restart(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handles = await client.submit_many(echo, range(3))
    async with aclosing(client.events(kind=["task"], name="echo")) as events:
        first = asyncio.ensure_future(anext(events))
        await fake_hub.until(lambda: fake_hub.streams == 2)
        await fake_hub.finish(handles[0].id, state="succeeded", value=1)
        event = await first
        assert (event.kind, event.task_id, event.value, event.id) == ("task.succeeded", handles[0].id, 1, 1)
        await fake_hub.stop()
        await fake_hub.finish(handles[1].id, state="failed", error={"kind": "error"})
        await fake_hub.start()
        event = await anext(events)
        assert event.error is not None
        assert (event.id, event.error.kind) == (2, "error")
        await fake_hub.stop()
        await fake_hub.finish(handles[2].id, state="lost")
        fake_hub.forget_events()
        await fake_hub.start()
        assert (await anext(events)).kind == "reset"


async def test_events_can_be_read_from_an_earlier_one_on(client: Client, fake_hub: FakeHub) -> None:
    await client.submit_many(echo, range(3))
    async with aclosing(client.events(last_id=1)) as events:
        assert [(await anext(events)).id for _ in range(2)] == [2, 3]


async def test_an_event_that_is_none_is_said(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.events.append({"id": "five", "kind": "task.x"})
    fake_hub.events[0]["id"] = 5
    fake_hub.events[0]["at"] = "noon"
    with pytest.raises(HubError, match="upgrade moorline"):
        async for _ in client.events(last_id=0):
            pass
