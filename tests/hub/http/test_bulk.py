from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub.decisions.filter_terms import TASK_FIELDS
from hub.decisions.filters import parse
from hub.http.bulk import CHUNK, UNDER_WAY_MAX, WITHIN_S, BulkAnswer, BulkRequest, Walk
from hub.store.attempts import AttemptResult, Record
from hub.store.contract import Store
from hub.store.submissions import Submit
from hub.store.tasks import NewTask, TaskOptions
from hub.store.wishes import Cancelled, Revived
from tests.hub.http.hub_under_test import HubUnderTest, StoreBackend

T = TypeVar("T")


async def bulk(hub: HubUnderTest, action: str, text: str, **more: Any) -> dict[str, Any]:
    status, body = await hub.post("/v1/tasks/bulk", json={"action": action, "filter": text, **more})
    assert status == 200, body
    answer: dict[str, Any] = body
    return answer


def said(matched: int, changed: int, cursor: str | None = None) -> dict[str, Any]:
    return {"matched": matched, "changed": changed, "more": cursor is not None, "cursor": cursor}


async def state(hub: HubUnderTest, task_id: str) -> str:
    _, body = await hub.get(f"/v1/tasks/{task_id}")
    found: str = body["state"]
    return found


def fill(backend: StoreBackend, count: int, name: str = "work") -> None:
    tasks = [NewTask(task_id=f"{name}-{number:05}", name=name, options=TaskOptions()) for number in range(count)]
    backend.execute(Submit(tasks=tasks))


def counts(backend: StoreBackend) -> dict[str, int]:
    return {state: count for state, count in backend.store.stats().tasks.items() if count}


async def test_cancel_changes_what_matches_and_is_not_final(hub: HubUnderTest) -> None:
    for task_id in ("a", "b", "c"):
        await hub.submit(id=task_id)
    await hub.submit("other", id="d")
    hub.claim(free=2)
    hub.succeed("a")
    assert await bulk(hub, "cancel", "name=work", count_only=True) == said(2, 0)
    assert await state(hub, "b") == "running"
    assert await bulk(hub, "cancel", "name=work") == said(2, 2)
    assert [await state(hub, task_id) for task_id in "abcd"] == ["succeeded", "cancelled", "cancelled", "queued"]
    assert await bulk(hub, "cancel", "name=work") == said(0, 0)
    _, task = await hub.get("/v1/tasks/c")
    assert task["error"]["message"] == "cancelled through the API, with others that met a filter"


async def test_retry_changes_what_failed_and_has_stopped(hub: HubUnderTest) -> None:
    for task_id in ("a", "b", "c", "d"):
        await hub.submit(id=task_id)
    hub.claim(free=3)
    hub.fail("a", "no such file")
    hub.fail("b", "too late")
    # The node has not said yet that this one has stopped.
    await hub.post("/v1/tasks/c/cancel")
    assert await bulk(hub, "retry", "error~file") == said(1, 1)
    assert await bulk(hub, "retry", "name=work") == said(2, 1)
    assert [await state(hub, task_id) for task_id in "abcd"] == ["queued", "queued", "cancelled", "queued"]


async def test_many_are_changed_in_pages_and_each_once(hub: HubUnderTest) -> None:
    fill(hub.backend, 2 * CHUNK + 7)
    fill(hub.backend, 3, "other")
    commits: list[int] = []
    cancel = hub.backend.cancel

    async def counted(task_ids: Sequence[str], reason: str) -> Cancelled:
        commits.append(len(task_ids))
        return await cancel(task_ids, reason)

    hub.backend.cancel = counted  # type: ignore[method-assign]
    assert await bulk(hub, "cancel", "name=work") == said(2 * CHUNK + 7, 2 * CHUNK + 7)
    assert commits == [CHUNK, CHUNK, 7]
    assert counts(hub.backend) == {"cancelled": 2 * CHUNK + 7, "queued": 3}


async def test_a_limit_is_kept_and_the_rest_comes_with_the_cursor(hub: HubUnderTest) -> None:
    fill(hub.backend, 10)
    first = await bulk(hub, "cancel", "work", limit=7)
    assert (first["matched"], first["changed"], first["more"]) == (7, 7, True)
    assert await state(hub, "work-00003") == "cancelled"
    assert await bulk(hub, "cancel", "work", limit=7, cursor=first["cursor"]) == said(3, 3)
    assert await bulk(hub, "retry", "work", limit=10) == said(10, 10)


async def test_counting_goes_up_to_the_limit(hub: HubUnderTest) -> None:
    fill(hub.backend, 10)
    counted = await bulk(hub, "cancel", "work", limit=9, count_only=True)
    assert (counted["matched"], counted["changed"], counted["more"]) == (9, 0, True)
    assert await bulk(hub, "cancel", "work", limit=10, count_only=True) == said(10, 0)
    assert counts(hub.backend) == {"queued": 10}


async def test_what_was_retried_and_failed_again_is_not_met_twice(hub: HubUnderTest) -> None:
    fill(hub.backend, 4)
    hub.claim()
    for number in range(4):
        hub.fail(f"work-{number:05}")
    revive = hub.backend.revive

    async def and_fail_at_once(task_ids: Sequence[str]) -> Revived:
        answer = await revive(task_ids)
        for task_id in hub.claim():
            _fail_again(hub.backend, task_id)
        return answer

    hub.backend.revive = and_fail_at_once  # type: ignore[method-assign]
    first = await bulk(hub, "retry", "state=failed", limit=3)
    assert (first["changed"], first["more"]) == (3, True)
    assert await bulk(hub, "retry", "state=failed", limit=3, cursor=first["cursor"]) == said(1, 1)


def _fail_again(backend: StoreBackend, task_id: str) -> None:
    view = backend.store.task(task_id)
    assert view is not None
    result = AttemptResult(task_id=task_id, attempt=view.attempt, node_id="n1", outcome="failed")
    backend.execute(Record(results=[result]))


@pytest.mark.parametrize(
    ("body", "where", "message", "remedy"),
    [
        ({"action": "cancel", "filter": " "}, None, "filter is empty", "age>=0 means every task"),
        ({"action": "cancel", "filter": "stat=a"}, "filter, character 1", "there is no field stat", "state?"),
        ({"action": "stop", "filter": "a"}, None, 'action is "stop"', '"cancel" or "retry"'),
        ({"action": "cancel"}, None, "filter is missing", "a text"),
        ({"action": "cancel", "filter": "a", "limit": 10001}, None, "limit is 10001", "from 1 to 10000"),
        ({"action": "cancel", "filter": "a", "limitt": 1}, None, "limitt is unknown", "did you mean limit?"),
        ({"action": "cancel", "filter": "a", "cursor": "x"}, None, "cursor is 'x'", "give one that"),
    ],
)
async def test_what_cannot_be_is_refused(
    hub: HubUnderTest, body: dict[str, Any], where: str | None, message: str, remedy: str
) -> None:
    status, answer = await hub.post("/v1/tasks/bulk", json=body)
    error = answer["error"]
    assert (status, error["code"], error.get("where")) == (400, "invalid_query", where)
    assert message in error["message"]
    assert remedy in error["remedy"]


async def test_a_hub_that_takes_no_commits_says_so(hub: HubUnderTest) -> None:
    fill(hub.backend, 1)
    hub.backend.degraded = "no space"
    status, body = await hub.post("/v1/tasks/bulk", json={"action": "cancel", "filter": "work"})
    assert (status, body["error"]["code"]) == (503, "degraded")
    assert await bulk(hub, "cancel", "work", count_only=True) == said(1, 0)


async def test_what_was_done_before_the_disk_was_full_is_told(hub: HubUnderTest) -> None:
    fill(hub.backend, CHUNK + 5)
    cancel = hub.backend.cancel

    async def once(task_ids: Sequence[str], reason: str) -> Cancelled:
        answer = await cancel(task_ids, reason)
        hub.backend.degraded = "no space"
        return answer

    hub.backend.cancel = once  # type: ignore[method-assign]
    first = await bulk(hub, "cancel", "work")
    assert (first["matched"], first["changed"], first["more"]) == (CHUNK, CHUNK, True)
    hub.backend.degraded = None
    assert await bulk(hub, "cancel", "work", cursor=first["cursor"]) == said(5, 5)


async def test_so_many_at_once_and_no_more(hub: HubUnderTest) -> None:
    fill(hub.backend, 1)
    read, allowed = hub.backend.read, asyncio.Event()

    async def wait(query: Callable[[Store], Any]) -> Any:
        await allowed.wait()
        return await read(query)

    hub.backend.read = wait  # type: ignore[method-assign]
    body = {"action": "cancel", "filter": "work", "count_only": True}
    asked = [asyncio.create_task(hub.post("/v1/tasks/bulk", json=body)) for _ in range(UNDER_WAY_MAX + 1)]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result()[0] for task in done] == [429]
    allowed.set()
    answers = [status for status, _ in await asyncio.gather(*asked)]
    assert sorted(answers) == [200] * UNDER_WAY_MAX + [429]


async def test_when_its_time_is_over_it_says_where_to_go_on(tmp_path: Path) -> None:
    backend = StoreBackend(tmp_path / "hub.db")
    fill(backend, 1, "needle")
    fill(backend, 12_000)
    now_s = 0.0

    async def read(query: Callable[[Store], T]) -> T:
        nonlocal now_s
        now_s += WITHIN_S / 2
        return query(backend.store)

    backend.read = read  # type: ignore[method-assign]
    terms = parse("needle", TASK_FIELDS)
    asked = BulkRequest(action="cancel", filter="needle")
    first = await Walk(backend, asked, terms, 0.0, lambda: now_s).go()
    assert (first.matched, first.more) == (0, True)
    again = BulkRequest(action="cancel", filter="needle", cursor=first.cursor)
    assert await Walk(backend, again, terms, 0.0, lambda: now_s).go() == BulkAnswer(
        matched=1, changed=1, more=False, cursor=None
    )
    backend.store.close()


async def test_a_task_may_be_called_bulk(hub: HubUnderTest) -> None:
    await hub.submit(id="bulk")
    assert (await hub.get("/v1/tasks/bulk"))[1]["id"] == "bulk"
